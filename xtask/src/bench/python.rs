//! A Python that has PyTorch.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::bail;

/// What to say where there is none.
pub const HOW_TO_GET_IT: &str =
    "no Python with PyTorch: our side alone. To get one: python3 -m venv .venv && .venv/bin/pip install torch";

/// Where the scripts are, from the root.
const SCRIPTS: &str = "benches/pytorch";

/// A Python that has PyTorch, and the scripts it is to run.
pub struct Python {
    program: PathBuf,
    scripts: PathBuf,
}

impl Python {
    /// The one asked for, else the first of those that are usually there; `None` where none of them has PyTorch.
    ///
    /// # Errors
    /// When the one asked for has no PyTorch.
    pub fn find(asked: Option<&Path>, root: &Path) -> anyhow::Result<Option<Self>> {
        let here = |program: PathBuf| Self { program, scripts: root.join(SCRIPTS) };
        if let Some(asked) = asked {
            if !has_pytorch(asked) {
                bail!("`--python {}`: `import torch` fails there", asked.display());
            }
            return Ok(Some(here(asked.into())));
        }
        let usual = [root.join(".venv/bin/python"), PathBuf::from("python3")];
        Ok(usual.into_iter().find(|program| has_pytorch(program)).map(here))
    }

    /// A script of `benches/pytorch/`, ready for its arguments.
    pub fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(self.scripts.join(name)).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

fn has_pytorch(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(["-c", "import torch"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_asked_for_must_have_pytorch() {
        let error = Python::find(Some(Path::new("no/such/python")), Path::new(".")).err().expect("an error");
        assert!(error.to_string().contains("--python no/such/python"), "{error}");
    }
}
