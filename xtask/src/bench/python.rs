//! Finds a Python interpreter with the needed packages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::bail;

/// What the scripts of a folder import.
pub struct Needs {
    /// Name of the module.
    pub module: &'static str,
    /// Name of the package that has it.
    pub package: &'static str,
    /// Where the scripts are, from the root.
    pub scripts: &'static str,
}

/// Networks in PyTorch.
pub const PYTORCH: Needs = Needs { module: "torch", package: "torch", scripts: "benches/pytorch" };
/// Lattices in numba.
pub const NUMBA: Needs = Needs { module: "numba", package: "numba", scripts: "benches/numba" };

/// GFlowNets in torchgfn.
pub const TORCHGFN: Needs = Needs { module: "gfn", package: "torchgfn", scripts: "benches/torchgfn" };

/// A Python that has a module, and the scripts it is to run.
pub struct Python {
    program: PathBuf,
    scripts: PathBuf,
}

impl Needs {
    /// What to say where there is none.
    pub fn how_to_get_it(&self) -> String {
        let package = self.package;
        format!(
            "no Python with {package}: our side alone. To get one: python3 -m venv .venv && .venv/bin/pip install {package}"
        )
    }

    /// The requested Python, otherwise the first default one with the module; `None` if none has it.
    ///
    /// # Errors
    /// If the requested one lacks the module.
    pub fn find(&self, asked: Option<&Path>, root: &Path) -> anyhow::Result<Option<Python>> {
        let here = |program: PathBuf| Python { program, scripts: root.join(self.scripts) };
        if let Some(asked) = asked {
            if !self.are_met(asked) {
                bail!(
                    "`--python {}`: `import {}` fails in this interpreter; install the package, or name another interpreter",
                    asked.display(),
                    self.module
                );
            }
            return Ok(Some(here(asked.into())));
        }
        let usual = [root.join(".venv/bin/python"), PathBuf::from("python3")];
        Ok(usual.into_iter().find(|program| self.are_met(program)).map(here))
    }

    fn are_met(&self, program: &Path) -> bool {
        let mut command = Command::new(program);
        let import = format!("import {}", self.module);
        command.args(["-c", &import]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

impl Python {
    /// A script of the folder, ready for its arguments.
    pub fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(self.scripts.join(name)).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_asked_for_must_have_the_module() {
        for needs in [PYTORCH, NUMBA] {
            let error = needs.find(Some(Path::new("no/such/python")), Path::new(".")).err().expect("an error");
            assert!(error.to_string().contains("--python no/such/python"), "{error}");
            assert!(needs.how_to_get_it().contains(&format!("pip install {}", needs.module)));
        }
    }
}
