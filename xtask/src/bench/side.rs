//! One side of a benchmark: a process that runs a block of steps on request.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

/// A process that is warm and waits.
pub struct Side {
    /// Who it is, with its version.
    pub name: String,
    /// Weights of its network.
    pub parameters: u64,
    process: Child,
    requests: ChildStdin,
    replies: Lines<BufReader<ChildStdout>>,
}

impl Side {
    /// Starts a process and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it cannot be started, ends early, says why it failed or says something else.
    pub fn start(mut command: Command) -> anyhow::Result<Self> {
        let shown = command.get_program().display().to_string();
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {shown}"))?;
        let requests = process.stdin.take().ok_or_else(|| anyhow!("{shown} has no standard input"))?;
        let replies = process.stdout.take().ok_or_else(|| anyhow!("{shown} has no standard output"))?;
        let replies = BufReader::new(replies).lines();
        let mut side = Self { name: shown, parameters: 0, process, requests, replies };
        let ready = side.reply()?;
        if let Some(reason) = ready["failed"].as_str() {
            bail!("{reason}");
        }
        let name = ready["side"].as_str().with_context(|| format!("{}: no name in {ready}", side.name))?;
        side.parameters = ready["parameters"].as_u64().with_context(|| format!("{name}: no count in {ready}"))?;
        side.name = name.into();
        Ok(side)
    }

    /// Has it do a block of steps: seconds a step.
    ///
    /// # Errors
    /// When it ends early or says something else.
    pub fn block(&mut self) -> anyhow::Result<f64> {
        Ok(self.block_with("")?.0)
    }

    /// The same, and another number that the block reports under a key, if it does.
    ///
    /// # Errors
    /// As [`block`](Self::block).
    pub fn block_with(&mut self, key: &str) -> anyhow::Result<(f64, Option<f64>)> {
        writeln!(self.requests).with_context(|| format!("{} no longer reads its standard input", self.name))?;
        let block = self.reply()?;
        match (block["seconds"].as_f64(), block["steps"].as_f64()) {
            (Some(seconds), Some(steps)) if seconds > 0.0 && steps > 0.0 => Ok((seconds / steps, block[key].as_f64())),
            _ => bail!("{}: expected steps and seconds, found {block}", self.name),
        }
    }

    fn reply(&mut self) -> anyhow::Result<Value> {
        match self.replies.next().transpose()? {
            Some(line) => {
                serde_json::from_str(&line).with_context(|| format!("{}: expected JSON, found: {line}", self.name))
            }
            None => bail!("{} ended early ({}); its own message is above", self.name, self.process.wait()?),
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Whatever it is doing, nobody waits for it any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_side_does_a_block_whenever_it_is_asked() {
        let script = r#"echo '{"side": "x 1", "parameters": 7}'; n=0
            while read -r _; do n=$((n + 1)); echo "{\"steps\": 2, \"seconds\": $n}"; done"#;
        let mut side = Side::start(shell(script)).unwrap();
        assert_eq!((side.name.as_str(), side.parameters), ("x 1", 7));
        assert_eq!([side.block().unwrap(), side.block().unwrap()], [0.5, 1.0]);
    }

    #[test]
    fn a_side_that_ends_or_babbles_is_an_error() {
        let message = |script: &str| Side::start(shell(script)).err().expect("an error").to_string();
        assert!(message("exit 3").contains("ended early"));
        assert!(message("echo hello").contains("hello"));
        assert!(message("echo '{}'").contains("no name"));
        assert_eq!(message(r#"echo '{"failed": "no compiler"}'"#), "no compiler");
        let mut side = Side::start(shell(r#"echo '{"side": "x", "parameters": 1}'; read -r _; echo '{}'"#)).unwrap();
        assert!(side.block().unwrap_err().to_string().contains("expected steps and seconds"));
    }
}
