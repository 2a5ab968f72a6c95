//! The pictures that a command is to write, checked before its work.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// Endings of the names of a kind of files, and how they begin.
type Kind = (&'static [&'static str], &'static [u8]);

const SHEETS: &[Kind] = &[(&["png"], b"\x89PNG")];
const FILMS: &[Kind] = &[(&["gif"], b"GIF8"), (&["png", "apng"], b"\x89PNG")];

/// Checks `--out` and `--animate`: that their names say what is written into them, that they can be written, that they are neither one file
/// nor one of those that are `read`, and that there is nothing yet but a picture of this kind. `read` has flags with their files.
pub fn check(out: &Path, animate: Option<&Path>, read: &[(&'static str, Option<&Path>)]) -> anyhow::Result<()> {
    let mut taken: Vec<(&'static str, PathBuf)> = Vec::new();
    for &(flag, path) in read {
        taken.extend(path.map(|path| (flag, resolved(path))));
    }
    let outputs = [("--out", Some(out), SHEETS), ("--animate", animate, FILMS)];
    for (flag, path, kinds) in outputs.into_iter().filter_map(|(flag, path, kinds)| Some((flag, path?, kinds))) {
        check_kind(flag, path, kinds)?;
        let whole = resolved(path);
        let other = taken.iter().find(|(_, other)| *other == whole);
        ensure!(
            other.is_none(),
            "`{flag} {}`: that is the file of `{}`; give another name",
            path.display(),
            other.map_or("", |(flag, _)| *flag)
        );
        taken.push((flag, whole));
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
    if path.exists() {
        let mut found = Vec::new();
        let read = File::open(path).and_then(|file| file.take(start.len() as u64).read_to_end(&mut found));
        read.with_context(|| format!("`{flag} {shown}`"))?;
        ensure!(
            found.is_empty() || found == **start,
            "`{flag} {shown}`: the file that is there is no .{ending} picture; give another name"
        );
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(folder).with_context(|| format!("`{flag} {shown}`: cannot write there"))?;
    Ok(())
}

/// A path that two names of one file share.
fn resolved(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.into());
    whole.canonicalize().ok().unwrap_or_else(|| {
        let folder = whole.parent().and_then(|folder| folder.canonicalize().ok());
        folder.zip(whole.file_name()).map_or_else(|| whole.clone(), |(folder, name)| folder.join(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_picture_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a.png"), b"\x89PNG\r\n\x1a\n").unwrap();
        std::fs::write(at("a.gif"), b"GIF89a").unwrap();
        std::fs::write(at("empty.png"), b"").unwrap();
        std::fs::write(at("text.png"), b"not a picture").unwrap();
        std::fs::create_dir(at("folder.png")).unwrap();
        let said = |out: &str, animate: Option<&str>, image: Option<&str>| {
            let (out, animate, image) = (at(out), animate.map(at), image.map(at));
            let checked = check(&out, animate.as_deref(), &[("--image", image.as_deref())]);
            checked.map_or_else(|error| format!("{error:#}"), |()| "fine".into())
        };
        for out in ["a.png", "new.PNG", "empty.png"] {
            assert_eq!(said(out, Some("a.gif"), Some("b.png")), "fine", "{out}");
        }
        for (out, animate, image, part) in [
            ("config.toml", None, None, "`--out"),
            ("a.jpg", None, None, "ends in .png"),
            ("a.gif", None, None, "ends in .png"),
            ("new.png", Some("film.mov"), None, ".gif or .png"),
            ("text.png", None, None, "no .png picture"),
            ("folder.png", None, None, "`--out"),
            ("none/new.png", None, None, "cannot write there"),
            ("new.png", Some("./new.png"), None, "file of `--out`"),
            ("a.png", None, Some("../NAME/a.png"), "file of `--image`"),
        ] {
            let name = folder.path().file_name().unwrap().to_string_lossy().into_owned();
            let image = image.map(|image: &str| image.replace("NAME", &name));
            let found = said(out, animate, image.as_deref());
            assert!(found.contains(part), "{out}: {found}");
        }
    }
}
