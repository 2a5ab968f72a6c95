//! A process with its descendants, and signals to one of them.

use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// What a process is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Terminate,
    /// SIGSTOP, and SIGCONT a moment later.
    Pause,
}

/// How often ends are looked for, and how long a pause is.
const MOMENTS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(200)];

/// A process that was started here, and those that it has started.
pub struct Family {
    child: Child,
    members: Vec<Pid>,
}

impl Family {
    /// Starts a process.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn()?;
        let members = vec![Pid::from_u32(child.id())];
        Ok(Self { child, members })
    }

    /// Waits at most so long; how the process ended, if it did.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn wait(&mut self, longest: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            let status = self.child.try_wait().context("cannot wait for a process")?;
            if status.is_some() || begun.elapsed() >= longest {
                return Ok(status);
            }
            sleep(MOMENTS[0]);
        }
    }

    /// Sends a signal to a member, chosen by a number in `[0, 1)`. SIGTERM goes to the first, as a scheduler would send it.
    ///
    /// # Errors
    /// When the system has no such signal.
    pub fn send(&mut self, signal: Signal, member: f64) -> anyhow::Result<()> {
        let system = self.look();
        let chosen = match signal {
            Signal::Terminate => self.members[0],
            _ => self.members[(member * self.members.len() as f64) as usize],
        };
        // One that ended meanwhile is as good as killed.
        let Some(process) = system.process(chosen) else { return Ok(()) };
        let send = |signal: sysinfo::Signal| process.kill_with(signal).context("this system lacks a signal");
        match signal {
            Signal::Kill => send(sysinfo::Signal::Kill)?,
            Signal::Terminate => send(sysinfo::Signal::Term)?,
            Signal::Pause => {
                send(sysinfo::Signal::Stop)?;
                sleep(MOMENTS[1]);
                send(sysinfo::Signal::Continue)?
            }
        };
        Ok(())
    }

    /// Waits at most so long for all members to end. What is left then is killed.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn gone_within(&mut self, longest: Duration) -> anyhow::Result<bool> {
        let begun = Instant::now();
        while begun.elapsed() < longest {
            let ended = self.child.try_wait().context("cannot wait for a process")?.is_some();
            let system = self.look();
            let lives = |pid: &Pid| system.process(*pid).is_some_and(|process| process.exists());
            if ended && !self.members.iter().any(lives) {
                return Ok(true);
            }
            sleep(MOMENTS[0] * 10);
        }
        let system = self.look();
        for process in self.members.iter().filter_map(|pid| system.process(*pid)) {
            process.kill();
        }
        self.child.wait().context("cannot wait for a process")?;
        Ok(false)
    }

    /// Looks for processes that members have started. A thread is no process.
    fn look(&mut self) -> System {
        let mut system = System::new();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing().without_tasks());
        let mut added = true;
        while added {
            let begun = |pid: &Pid| self.members.contains(pid);
            let new = system
                .processes()
                .iter()
                .filter(|(pid, process)| !begun(pid) && process.parent().is_some_and(|parent| begun(&parent)));
            let new: Vec<Pid> = new.map(|(pid, _)| *pid).collect();
            added = !new.is_empty();
            self.members.extend(new);
        }
        system
    }
}
