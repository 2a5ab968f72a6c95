//! Checks of output files before the work: they must not be input files, and must not replace the user's files.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use glauber_files::{check_folder, folder_of};

/// File name endings of a kind of files, and their first bytes.
type Kind = (&'static [&'static str], &'static [u8]);

const SHEETS: &[Kind] = &[(&["png"], b"\x89PNG")];
const DRAWINGS: &[Kind] = &[(&["svg"], b"<svg")];
const FILMS: &[Kind] = &[(&["gif"], b"GIF8"), (&["png", "apng"], b"\x89PNG")];

/// A flag with its file or folder.
pub type Named<'a> = (&'a str, &'a Path);

/// Checks `--out` and `--animate`. Their endings must match the format, and they must be writable. They must differ
/// from each other and from the files in `read`, and may replace only a picture of their kind.
///
/// # Errors
/// Names the invalid flag.
pub fn check(out: &Path, animate: Option<&Path>, read: &[Named<'_>]) -> anyhow::Result<()> {
    let mut taken = read.to_vec();
    let outputs = [("--out", Some(out), SHEETS), ("--animate", animate, FILMS)];
    for (flag, path, kinds) in outputs.into_iter().filter_map(|(flag, path, kinds)| Some((flag, path?, kinds))) {
        check_kind(flag, path, kinds)?;
        check_apart((flag, path), &taken)?;
        taken.push((flag, path));
    }
    Ok(())
}

/// Checks a picture before the work for it: its ending must be `.png`, or `.svg` of a drawing, it must be writable, and it
/// may replace only a picture of its kind.
///
/// # Errors
/// Names the invalid flag.
pub fn check_picture(named: Named<'_>, drawing: bool, read: &[Named<'_>]) -> anyhow::Result<()> {
    check_kind(named.0, named.1, if drawing { DRAWINGS } else { SHEETS })?;
    check_apart(named, read)
}

/// Checks an output file of any kind: it must be writable, not in `read`, and new, unless it may be replaced
/// (`--overwrite`). Devices and pipes are allowed.
///
/// # Errors
/// Names the invalid flag.
pub fn check_file((flag, path): Named<'_>, replace: bool, read: &[Named<'_>]) -> anyhow::Result<()> {
    let shown = path.display();
    // A new file beside those that are read is nobody's.
    let read: Vec<Named<'_>> = read.iter().copied().filter(|(_, input)| path.exists() || !input.is_dir()).collect();
    check_apart((flag, path), &read)?;
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => bail!("`{flag} {shown}`: that is a folder; give the name of a file"),
        Ok(found) if found.is_file() && found.len() > 0 => ensure!(
            replace,
            "`{flag} {shown}`: there is a file of this name; give another name, or `--overwrite` to replace it"
        ),
        Ok(found) if !found.is_file() => return Ok(()),
        _ => {}
    }
    check_writable(flag, path)
}

/// Checks a report that an experiment rewrites: an existing file must contain its `mark`.
///
/// # Errors
/// If it does not.
pub fn check_report((flag, folder): Named<'_>, name: &str, mark: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    let found = if path.is_dir() { vec![b'/'] } else { fs::read(&path).unwrap_or_default() };
    ensure!(
        found.is_empty() || String::from_utf8_lossy(&found).contains(mark),
        "`{flag} {}`: the folder contains `{name}`, which is not from this experiment; give another folder",
        folder.display()
    );
    Ok(())
}

/// Checks that an output is not one of the input files, under any name, and not in an input folder, where it would be
/// read as data.
///
/// # Errors
/// Names the invalid flag.
pub fn check_apart((flag, path): Named<'_>, read: &[Named<'_>]) -> anyhow::Result<()> {
    let whole = resolved(path);
    for (other, input) in read {
        let (shown, read) = (path.display(), input.display());
        let same = whole == resolved(input) || same_file::is_same_file(path, input).unwrap_or(false);
        ensure!(!same || input.is_dir(), "`{flag} {shown}`: that is the file of `{other}`; give another name");
        ensure!(
            !input.is_dir() || !whole.starts_with(resolved(input)),
            "`{flag} {shown}`: the path is in the folder {read} of `{other}`, where it would be read as data; give a path outside of it"
        );
    }
    Ok(())
}

fn check_kind(flag: &str, path: &Path, kinds: &[Kind]) -> anyhow::Result<()> {
    let shown = path.display();
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let kind = kinds.iter().find(|(endings, _)| endings.contains(&ending.as_str()));
    let named: Vec<String> = kinds.iter().map(|(endings, _)| format!(".{}", endings[0])).collect();
    let (_, start) =
        kind.with_context(|| format!("`{flag} {shown}`: expected a name that ends in {}", named.join(" or ")))?;
    // A pipe is not read: what is written there is somebody else's to read.
    if fs::metadata(path).is_ok_and(|found| found.is_file() || found.is_dir()) {
        let mut found = Vec::new();
        let read = File::open(path).and_then(|file| file.take(start.len() as u64).read_to_end(&mut found));
        read.with_context(|| format!("`{flag} {shown}`"))?;
        ensure!(
            found.is_empty() || found == **start,
            "`{flag} {shown}`: the existing file is not a .{ending} picture; give another name"
        );
    }
    check_writable(flag, path)
}

fn check_writable(flag: &str, path: &Path) -> anyhow::Result<()> {
    let (shown, folder) = (path.display(), folder_of(path));
    ensure!(folder.is_dir(), "`{flag} {shown}`: cannot write there: the folder {} does not exist", folder.display());
    // A link is written through.
    let through = resolved(path);
    check_folder(folder_of(&through)).with_context(|| format!("`{flag} {shown}`: cannot write there"))
}

/// A canonical path of a file that may not exist; follows existing links.
fn resolved(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let there = whole.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let rest = |above: &Path| whole.strip_prefix(above).map(Path::to_path_buf).unwrap_or_default();
    there.map_or_else(|| whole.clone(), |(above, real)| real.join(rest(above)).components().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(checked: anyhow::Result<()>) -> String {
        checked.map_or_else(|error| format!("{error:#}"), |()| "fine".into())
    }

    #[test]
    fn nothing_but_a_picture_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.png"), b"\x89PNG\r\n\x1a\n").unwrap();
        fs::write(at("a.gif"), b"GIF89a").unwrap();
        fs::write(at("empty.png"), b"").unwrap();
        fs::write(at("text.png"), b"not a picture").unwrap();
        fs::create_dir(at("folder.png")).unwrap();
        fs::create_dir(at("pictures")).unwrap();
        fs::write(at("pictures/b.png"), b"\x89PNG\r\n\x1a\n").unwrap();
        fs::hard_link(at("pictures/b.png"), at("hard.png")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("pictures"), at("linked")).unwrap();
        let run = |out: &str, animate: Option<&str>, image: Option<&str>| {
            let (out, animate, image) = (at(out), animate.map(at), image.map(at));
            let pictures = at("pictures");
            let mut read = vec![("--run", pictures.as_path())];
            read.extend(image.as_deref().map(|image| ("--image", image)));
            said(check(&out, animate.as_deref(), &read))
        };
        for out in ["a.png", "new.PNG", "empty.png"] {
            assert_eq!(run(out, Some("a.gif"), Some("b.png")), "fine", "{out}");
        }
        for (out, animate, image, part) in [
            ("config.toml", None, None, "`--out"),
            ("a.jpg", None, None, "ends in .png"),
            ("a.gif", None, None, "ends in .png"),
            ("new.png", Some("film.mov"), None, ".gif or .png"),
            ("text.png", None, None, "not a .png picture"),
            ("folder.png", None, None, "`--out"),
            ("none/new.png", None, None, "cannot write there"),
            ("new.png", Some("./new.png"), None, "file of `--out`"),
            ("a.png", None, Some("../NAME/a.png"), "file of `--image`"),
            ("hard.png", None, Some("pictures/b.png"), "file of `--image`"),
            ("pictures/new.png", None, None, "read as data"),
            ("pictures/../pictures/b.png", None, None, "read as data"),
            #[cfg(unix)]
            ("linked/b.png", None, None, "read as data"),
        ] {
            let name = folder.path().file_name().unwrap().to_string_lossy().into_owned();
            let image = image.map(|image: &str| image.replace("NAME", &name));
            let found = run(out, animate, image.as_deref());
            assert!(found.contains(part), "{out}: {found}");
        }
    }

    #[test]
    fn no_file_is_replaced_unless_it_may_be_and_none_that_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("texts")).unwrap();
        for name in ["texts/a.txt", "mine.json"] {
            fs::write(at(name), "mine").unwrap();
        }
        fs::write(at("empty.json"), "").unwrap();
        fs::hard_link(at("texts/a.txt"), at("hard.txt")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("texts/a.txt"), at("soft.txt")).unwrap();
        let run = |out: &str, replace: bool| {
            let (out, texts, one) = (at(out), at("texts"), at("texts/a.txt"));
            said(check_file(("--out", &out), replace, &[("--data", &texts), ("--data", &one)]))
        };
        for (out, replace, part) in [
            ("new.json", false, "fine"),
            ("empty.json", false, "fine"),
            ("mine.json", true, "fine"),
            ("mine.json", false, "`--overwrite`"),
            ("texts/a.txt", true, "`--data`"),
            ("texts/new.json", false, "fine"),
            ("texts", true, "folder"),
            ("hard.txt", true, "file of `--data`"),
            #[cfg(unix)]
            ("soft.txt", true, "`--data`"),
            ("none/new.json", false, "cannot write there"),
            ("mine.json/new.json", false, "cannot write there"),
        ] {
            let found = run(out, replace);
            assert!(found.contains(part), "{out}: {found}");
        }
        let tmp = fs::read_dir(folder.path()).unwrap().count();
        assert!(tmp <= 5, "nothing is left");
        assert_eq!(said(check_report(("--out", folder.path()), "new.md", "# Mine")), "fine");
        assert!(
            said(check_report(("--out", folder.path()), "mine.json", "# Mine")).contains("not from this experiment")
        );
    }
}
