//! Runs one command in the demo's own home folder, with a time limit.

use std::env::JoinPathsError;
use std::fs::File;
use std::io::Read;
use std::iter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::page;
#[cfg(unix)]
use super::pty;

const TICK: Duration = Duration::from_millis(20);

/// A command that is about to run.
pub(crate) struct Child {
    command: Command,
    name: String,
    args: Vec<String>,
    /// The end to read stdout from, if it is a terminal.
    terminal: Option<File>,
}

/// The result of a finished command.
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    code: Option<i32>,
    name: String,
}

impl Outcome {
    /// An error unless it ended with exit code 0.
    pub(crate) fn succeeded(&self) -> Result<(), String> {
        match self.code {
            Some(0) => Ok(()),
            Some(code) => Err(format!("{} failed with exit code {code}", self.name)),
            None => Err(format!("{} was stopped by a signal", self.name)),
        }
    }
}

impl Child {
    /// A program under the name that it is shown by.
    pub(crate) fn new(
        program: &Path,
        name: &str,
        args: &[impl AsRef<str>],
        home: &Path,
    ) -> Result<Self, JoinPathsError> {
        let args: Vec<String> = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        let mut command = Command::new(program);
        command.args(&args).current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        sim::isolate(&mut command, home);
        // Prompts go to a pipe, which the plugin would otherwise not take for a user.
        command.env("KUBECTL_LOGIN_PROMPT", "always");
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env("PATH", std::env::join_paths(iter::once(home.join("bin")).chain(std::env::split_paths(&path)))?);
        Ok(Self { command, name: name.to_owned(), args, terminal: None })
    }

    pub(crate) fn kubeconfig(mut self, path: &Path) -> Self {
        self.command.env("KUBECONFIG", path);
        self
    }

    /// Gives it a terminal for stdout, as wide as the page has room, so that its tables fit. Pipes where the platform
    /// has no such terminals.
    pub(crate) fn on_terminal(self) -> Result<Self, String> {
        #[cfg(unix)]
        {
            let mut child = self;
            let (ours, childs) =
                pty::of_width(page::room()).map_err(|error| format!("cannot open a pseudo-terminal: {error}"))?;
            child.command.stdout(childs);
            child.command.env("TERM", if page::is_coloured() { "xterm" } else { "dumb" });
            child.terminal = Some(ours);
            Ok(child)
        }
        #[cfg(not(unix))]
        Ok(self)
    }

    /// Prints the command line first.
    pub(crate) fn shown(self) -> Self {
        page::command(&self.name, &self.args);
        self
    }

    pub(crate) fn run(self, limit: Duration) -> Result<Outcome, String> {
        self.run_watching(limit, |_| ())
    }

    /// Runs it, and repeatedly calls `watch` with everything that stderr has held so far.
    pub(crate) fn run_watching(mut self, limit: Duration, watch: impl Fn(&str)) -> Result<Outcome, String> {
        let name = self.name;
        let mut child = self.command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        // It holds the child's end of the terminal, which has to be closed for reading to end.
        drop(self.command);
        let (sender, pieces) = mpsc::channel();
        forward(child.stdout.take(), false, sender.clone());
        forward(self.terminal, false, sender.clone());
        forward(child.stderr.take(), true, sender);
        let until = Instant::now() + limit;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match pieces.recv_timeout(TICK) {
                Ok((true, piece)) => stderr.extend(piece),
                Ok((false, piece)) => stdout.extend(piece),
                Err(RecvTimeoutError::Timeout) => watch(&String::from_utf8_lossy(&stderr)),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() > until {
                // The time limit is the error to report, even if the kill fails.
                let _ = child.kill();
                let _ = child.wait();
                let said = String::from_utf8_lossy(&stderr);
                return Err(format!("{name} did not finish within {} s; its stderr:\n{said}", limit.as_secs()));
            }
        }
        let status = child.wait().map_err(|error| format!("{name}: {error}"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Outcome { stdout: text(stdout), stderr: text(stderr), code: status.code(), name })
    }
}

/// Sends what arrives through a pipe or a terminal, piece by piece, marked as stderr or not.
fn forward(pipe: Option<impl Read + Send + 'static>, is_stderr: bool, pieces: Sender<(bool, Vec<u8>)>) {
    let Some(mut pipe) = pipe else { return };
    thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if pieces.send((is_stderr, buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    });
}
