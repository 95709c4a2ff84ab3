//! Runs one command in the demonstration's own home, with a time limit.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::page;

const TICK: Duration = Duration::from_millis(20);

/// A command that is about to run.
pub(crate) struct Child {
    command: Command,
    name: String,
    args: Vec<String>,
}

/// What came of it.
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
            Some(code) => Err(format!("{} ended with exit code {code}", self.name)),
            None => Err(format!("{} was ended by a signal", self.name)),
        }
    }
}

impl Child {
    pub(crate) fn new(program: &Path, args: &[impl AsRef<str>], home: &Path) -> Self {
        let args: Vec<String> = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        let mut command = Command::new(program);
        command.args(&args).current_dir(home);
        sim::isolate(&mut command, home);
        // The prompt goes to a pipe here, where it would otherwise see that nobody reads.
        command.env("KUBECTL_LOGIN_PROMPT", "always");
        let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { command, name, args }
    }

    pub(crate) fn kubeconfig(mut self, path: &Path) -> Self {
        self.command.env("KUBECONFIG", path);
        self
    }

    /// Prints the command line first.
    pub(crate) fn shown(self) -> Self {
        page::command(&self.name, &self.args);
        self
    }

    pub(crate) fn run(self, limit: Duration) -> Result<Outcome, String> {
        self.run_watching(limit, |_| ())
    }

    /// Runs it, and shows everything that stderr has held so far to a watcher, again and again until it ends.
    pub(crate) fn run_watching(mut self, limit: Duration, watch: impl Fn(&str)) -> Result<Outcome, String> {
        let name = self.name;
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let (sender, pieces) = mpsc::channel();
        forward(child.stdout.take(), false, sender.clone());
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
                // The error that counts is the time limit, whatever becomes of the kill.
                let _ = child.kill();
                let _ = child.wait();
                let said = String::from_utf8_lossy(&stderr);
                return Err(format!("{name} did not end within {} s; it had said:\n{said}", limit.as_secs()));
            }
        }
        let status = child.wait().map_err(|error| format!("{name}: {error}"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Outcome { stdout: text(stdout), stderr: text(stderr), code: status.code(), name })
    }
}

/// Sends what a pipe holds, piece by piece, marked as stderr or not.
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
