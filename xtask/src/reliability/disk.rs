//! A disk in memory, of which a power cut leaves what was synced, and perhaps more.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::calls::Call;

/// What a power cut leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Everything that was called for.
    Nothing,
    /// What was not synced: names and bytes.
    Unsynced,
    /// Bytes that were not synced; all names are there.
    Bytes,
    /// The second half of what was not synced of a file; all names are there.
    Half,
}

impl Loss {
    /// All losses.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Unsynced, Self::Bytes, Self::Half];
}

type Names = BTreeMap<OsString, usize>;

/// A file or a folder.
enum Node {
    File { bytes: Vec<u8>, synced: Vec<u8> },
    Folder { names: Names, synced: Names },
}

/// An open file.
struct Open {
    node: usize,
    position: u64,
    append: bool,
}

/// A disk, of which one folder is looked at.
pub struct Disk {
    root: PathBuf,
    nodes: Vec<Node>,
    open: HashMap<u64, Open>,
}

/// What lies in a folder after a power cut: folders, and files with their bytes, by path.
pub type Left = BTreeMap<PathBuf, Option<Vec<u8>>>;

impl Disk {
    /// A disk with an empty folder, which is known to be synced.
    pub fn new(root: &Path) -> Self {
        let folder = Node::Folder { names: Names::new(), synced: Names::new() };
        Self { root: root.to_owned(), nodes: vec![folder], open: HashMap::new() }
    }

    /// Performs a call. What lies outside the folder is left out.
    pub fn perform(&mut self, call: &Call) {
        match call {
            Call::Open { descriptor, path, create, truncate, append } => {
                self.open.remove(descriptor);
                if *create && self.find(path).is_none() {
                    self.add(path, Node::File { bytes: Vec::new(), synced: Vec::new() });
                }
                let Some(node) = self.find(path) else { return };
                if let (true, Node::File { bytes, .. }) = (*truncate, &mut self.nodes[node]) {
                    bytes.clear();
                }
                self.open.insert(*descriptor, Open { node, position: 0, append: *append });
            }
            Call::Close { descriptor } => drop(self.open.remove(descriptor)),
            Call::Seek { descriptor, offset } => {
                if let Some(open) = self.open.get_mut(descriptor) {
                    open.position = *offset;
                }
            }
            Call::Write { descriptor, bytes, offset } => self.write(*descriptor, bytes, *offset),
            Call::Truncate { descriptor, length } => {
                if let Some(Node::File { bytes, .. }) = self.opened(*descriptor) {
                    bytes.resize(*length as usize, 0);
                }
            }
            Call::Sync { descriptor } => match self.opened(*descriptor) {
                Some(Node::File { bytes, synced }) => synced.clone_from(bytes),
                Some(Node::Folder { names, synced }) => synced.clone_from(names),
                None => {}
            },
            Call::Rename { from, to } => {
                if let Some(node) = self.take(from) {
                    self.put(to, node);
                }
            }
            Call::MakeFolder(path) => self.add(path, Node::Folder { names: Names::new(), synced: Names::new() }),
            Call::Remove(path) => drop(self.take(path)),
        }
    }

    /// What a power cut leaves now.
    pub fn after(&self, loss: Loss) -> Left {
        let mut left = Left::new();
        self.collect(0, Path::new(""), loss, &mut left);
        left
    }

    fn collect(&self, node: usize, at: &Path, loss: Loss, left: &mut Left) {
        match &self.nodes[node] {
            Node::File { bytes, synced } => {
                let kept = match loss {
                    Loss::Nothing => bytes.clone(),
                    Loss::Half => {
                        let kept = if bytes.starts_with(synced) { synced.len() } else { 0 };
                        bytes[..kept + (bytes.len() - kept) / 2].to_vec()
                    }
                    _ => synced.clone(),
                };
                left.insert(at.to_owned(), Some(kept));
            }
            Node::Folder { names, synced } => {
                if at != Path::new("") {
                    left.insert(at.to_owned(), None);
                }
                let names = if loss == Loss::Unsynced { synced } else { names };
                names.iter().for_each(|(name, node)| self.collect(*node, &at.join(name), loss, left));
            }
        }
    }

    fn write(&mut self, descriptor: u64, new: &[u8], offset: Option<u64>) {
        let Some(open) = self.open.get_mut(&descriptor) else { return };
        let Node::File { bytes, .. } = &mut self.nodes[open.node] else { return };
        let at = offset.unwrap_or(if open.append { bytes.len() as u64 } else { open.position });
        let (at, end) = (at as usize, at as usize + new.len());
        bytes.resize(bytes.len().max(end), 0);
        bytes[at..end].copy_from_slice(new);
        if offset.is_none() {
            open.position = end as u64;
        }
    }

    fn opened(&mut self, descriptor: u64) -> Option<&mut Node> {
        let node = self.open.get(&descriptor)?.node;
        self.nodes.get_mut(node)
    }

    /// The node of a path below the folder.
    fn find(&self, path: &Path) -> Option<usize> {
        let below = normal(path).strip_prefix(&self.root).ok()?.to_owned();
        below.iter().try_fold(0, |node, name| match &self.nodes[node] {
            Node::Folder { names, .. } => names.get(name).copied(),
            Node::File { .. } => None,
        })
    }

    fn names(&mut self, path: &Path) -> Option<(&mut Names, OsString)> {
        let path = normal(path);
        let folder = self.find(path.parent()?)?;
        match &mut self.nodes[folder] {
            Node::Folder { names, .. } => Some((names, path.file_name()?.to_owned())),
            Node::File { .. } => None,
        }
    }

    fn add(&mut self, path: &Path, node: Node) {
        self.nodes.push(node);
        self.put(path, self.nodes.len() - 1);
    }

    fn put(&mut self, path: &Path, node: usize) {
        if let Some((names, name)) = self.names(path) {
            names.insert(name, node);
        }
    }

    fn take(&mut self, path: &Path) -> Option<usize> {
        let (names, name) = self.names(path)?;
        names.remove(&name)
    }
}

/// A path without `.`; links are not followed.
fn normal(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Makes a folder hold exactly what a power cut has left.
///
/// # Errors
/// When the system refuses.
pub fn restore(left: &Left, root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    for (path, bytes) in left {
        match bytes {
            None => fs::create_dir(root.join(path))?,
            Some(bytes) => fs::write(root.join(path), bytes)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &str) -> Call {
        Call::Open { descriptor: 3, path: path.into(), create: true, truncate: false, append: false }
    }

    fn text(left: &Left, path: &str) -> Option<String> {
        left.get(Path::new(path)).map(|bytes| String::from_utf8(bytes.clone().unwrap()).unwrap())
    }

    #[test]
    fn what_was_not_synced_may_be_lost() {
        let mut disk = Disk::new(Path::new("/r"));
        let write = |bytes: &str| Call::Write { descriptor: 3, bytes: bytes.into(), offset: None };
        for call in [open("/r/new"), write("ab"), Call::Sync { descriptor: 3 }, write("cd")] {
            disk.perform(&call);
        }
        let found = |disk: &Disk, path: &str| Loss::ALL.map(|loss| text(&disk.after(loss), path));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found(&disk, "new"), [some("abcd"), None, some("ab"), some("abc")]);
        disk.perform(&Call::Rename { from: "/r/new".into(), to: "/r/./old".into() });
        assert_eq!(found(&disk, "old"), [some("abcd"), None, some("ab"), some("abc")]);
        let folder = Call::Open { descriptor: 4, path: "/r".into(), create: false, truncate: false, append: false };
        for call in [folder, Call::Sync { descriptor: 4 }] {
            disk.perform(&call);
        }
        assert_eq!(found(&disk, "old"), [some("abcd"), some("ab"), some("ab"), some("abc")]);
        disk.perform(&Call::Remove("/r/old".into()));
        // A removal that was not synced may not have happened.
        assert_eq!(found(&disk, "old"), [None, some("ab"), None, None]);
        // What lies elsewhere is not looked at.
        for call in [open("/other"), write("x")] {
            disk.perform(&call);
        }
        assert_eq!(disk.after(Loss::Nothing), Left::new());
    }
}
