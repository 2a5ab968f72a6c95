//! Checksums of the files of a folder: lines of `b3sum`, which checks them too (`b3sum --check checksums.b3`).

use std::fs::{self, File};
use std::io;
use std::path::Path;

use blake3::{Hash, Hasher};
use walkdir::WalkDir;

use crate::RunError;

/// The file that they are in.
pub(crate) const CHECKSUMS: &str = "checksums.b3";

/// Writes the checksums of all files below a folder that `which` takes, by their paths in it.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn write(folder: &Path, which: impl Fn(&str) -> bool) -> Result<(), RunError> {
    let mut lines = String::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| RunError::file(folder)(error.into()))?;
        let name = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_string_lossy().replace('\\', "/");
        // Those of a process that was killed are replaced.
        if entry.file_type().is_file() && name != CHECKSUMS && which(&name) {
            let hash = hash(entry.path()).map_err(RunError::file(entry.path()))?;
            lines += &format!("{}  {name}\n", hash.to_hex());
        }
    }
    let path = folder.join(CHECKSUMS);
    glauber_files::write_whole(&path, lines).map_err(RunError::file(&path))
}

/// Checks the files that have a checksum and that `which` takes. Folders of older programs have none.
///
/// # Errors
/// [`RunError::Damaged`] with the hint for the first file that is missing or differs, or for checksums that are none.
pub(crate) fn verify(folder: &Path, which: impl Fn(&str) -> bool, hint: &'static str) -> Result<(), RunError> {
    let path = folder.join(CHECKSUMS);
    let damaged = |path: &Path, found: &str| RunError::Damaged { path: path.into(), found: found.into(), hint };
    let lines = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(damaged(&path, "no checksums")),
        lines => lines.map_err(RunError::file(&path))?,
    };
    for line in lines.lines() {
        let parsed = line.split_once("  ").and_then(|(hash, name)| Some((Hash::from_hex(hash).ok()?, name)));
        let (expected, name) = parsed.ok_or_else(|| damaged(&path, "no checksums"))?;
        let file = folder.join(name);
        if !which(name) {
            continue;
        }
        match hash(&file) {
            Ok(found) if found == expected => {}
            Ok(_) => return Err(damaged(&file, "its content is not what was written: its checksum differs")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged(&file, "it is missing")),
            Err(error) => return Err(RunError::file(&file)(error)),
        }
    }
    Ok(())
}

fn hash(path: &Path) -> io::Result<Hash> {
    let mut hasher = Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_found_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("deep")).unwrap();
        fs::write(at("state.toml"), "step = 3\n").unwrap();
        fs::write(at("deep/weights"), [7; 20]).unwrap();
        fs::write(at("lock"), "").unwrap();
        verify(folder.path(), |_| true, "no hint").unwrap();
        for _ in 0..2 {
            write(folder.path(), |name| name != "lock").unwrap();
        }
        let check = || verify(folder.path(), |_| true, "restore it").map_err(|error| error.to_string());
        check().unwrap();
        let checksums = fs::read_to_string(at(CHECKSUMS)).unwrap();
        let names: Vec<&str> = checksums.lines().map(|line| line.split_once("  ").unwrap().1).collect();
        assert_eq!(names, ["deep/weights", "state.toml"]);
        for name in ["state.toml", "deep/weights", CHECKSUMS] {
            let bytes = fs::read(at(name)).unwrap();
            for bit in 0..8 * bytes.len() {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                // Hexadecimal digits may be capitals.
                if flipped.eq_ignore_ascii_case(&bytes) && name == CHECKSUMS {
                    continue;
                }
                fs::write(at(name), flipped).unwrap();
                let said = check().expect_err("a flipped bit");
                assert!(name == CHECKSUMS || said.contains(name), "bit {bit} of {name}: {said}");
            }
            fs::write(at(name), bytes).unwrap();
        }
        check().unwrap();
        fs::remove_file(at("state.toml")).unwrap();
        assert!(check().unwrap_err().contains("state.toml: it is missing; restore it"));
    }
}
