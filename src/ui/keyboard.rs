//! Reads what the user types or pastes while the process waits for something else, from the controlling terminal. Secret
//! input is not displayed, and may have any length.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kubectl_login::signin::Lines;
use kubectl_login_core::secret::Secret;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal::SIGTTOU;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{self, LocalModes, OptionalActions, OutputModes, QueueSelector, SpecialCodeIndex, Termios};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use zeroize::Zeroizing;

use super::InputSource;

/// The longest line in bytes; no valid answer is longer.
const LINE: usize = 1024 * 1024;
/// How long to wait for the reader to stop.
const TIDYING: Duration = Duration::from_millis(300);
/// The value that disables a special character (`_POSIX_VDISABLE`).
const DISABLED: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };
/// How often a reader checks that the terminal is still as it left it: no signal tells that the process was brought back to
/// the foreground, or that the shell has changed the terminal after that (zsh does, on `bg` and `fg`).
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// A reader on its own thread. Dropping it stops it and restores the terminal.
pub(super) struct Keyboard {
    /// Closing it wakes the reader.
    stop: Option<OwnedFd>,
    stopped: Receiver<()>,
    /// Watches for Ctrl-Z.
    job_control: Option<AbortHandle>,
}

impl Keyboard {
    /// Reads lines from `source`; `None` if it cannot be read.
    pub(super) fn listen(source: InputSource) -> Option<(Keyboard, Lines)> {
        let (lines, received) = unbounded_channel();
        let (wake, stop) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).ok()?;
        let (done, stopped) = mpsc::channel();
        let (mut reads, mut job_control) = (false, None);
        if source == InputSource::HiddenTerminalOrStdin && !io::stdin().is_terminal() {
            let lines = lines.clone();
            // Nothing wakes this thread: it ends with the process. It does not touch the terminal.
            reads |= thread(move || read_lines(io::stdin(), &lines));
        }
        if let Some(terminal) = ControllingTerminal::open(source != InputSource::VisibleTerminal).map(Arc::new) {
            job_control = follow_job_control(Arc::clone(&terminal));
            reads |= thread(move || {
                read_terminal(&terminal, &wake, &lines);
                terminal.give_back();
                let _ = done.send(());
            });
        }
        reads.then_some((Keyboard { stop: Some(stop), stopped, job_control }, received))
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // First, so that the terminal is not taken over again.
        if let Some(job_control) = &self.job_control {
            job_control.abort();
        }
        drop(self.stop.take());
        let _ = self.stopped.recv_timeout(TIDYING);
    }
}

/// Whether stdin is a pipe or a file, and therefore meant to be read.
pub(super) fn is_stdin_piped() -> bool {
    matches!(kind(io::stdin()), Some(FileType::Fifo | FileType::RegularFile | FileType::Socket))
}

/// Whether a user may read stderr as it is written: not if it goes to a file or is discarded.
pub(super) fn is_stderr_read() -> bool {
    io::stderr().is_terminal() || matches!(kind(io::stderr()), Some(FileType::Fifo | FileType::Socket))
}

/// Whether a full-screen program (k9s, an editor) has taken over this terminal: output is not processed there, so each line
/// would start where the last one ended. (Emacs's shell only leaves out the carriage return; it is not such a program.)
pub(super) fn is_raw(terminal: impl AsFd) -> bool {
    termios::tcgetattr(terminal).is_ok_and(|now| !now.output_modes.contains(OutputModes::OPOST))
}

fn kind(stream: impl AsFd) -> Option<FileType> {
    rustix::fs::fstat(stream).ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
}

/// Whether this process is in the foreground of its terminal, as far as can be known.
pub(super) fn is_in_front() -> bool {
    File::open("/dev/tty").map_or(true, |terminal| is_in_front_of(&terminal))
}

fn is_in_front_of(terminal: &File) -> bool {
    termios::tcgetpgrp(terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}

fn thread(body: impl FnOnce() + Send + 'static) -> bool {
    std::thread::Builder::new().name("keyboard".to_owned()).spawn(body).is_ok()
}

/// The controlling terminal: as it is, or taken over, with echo and line editing off (lines edited by the kernel end after
/// 4 KiB, which an address with a code in it may exceed). Ctrl-C works as usual.
struct ControllingTerminal {
    terminal: File,
    /// Whether it is to be taken over at all.
    is_taken: bool,
    hold: Mutex<Hold>,
}

#[derive(Default)]
struct Hold {
    /// Whether it is to be taken over now; not while it is given back.
    wanted: bool,
    /// Its settings before it was taken over.
    before: Option<Termios>,
}

impl ControllingTerminal {
    /// The terminal, if it can be read now; taken over, or left as it is.
    fn open(is_taken: bool) -> Option<ControllingTerminal> {
        let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
        let terminal = ControllingTerminal { terminal, is_taken, hold: Mutex::default() };
        terminal.take().then_some(terminal)
    }

    fn hold(&self) -> MutexGuard<'_, Hold> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over the terminal if this process is in its foreground and no other program (a full-screen program such as k9s)
    /// has switched its line editing off. Returns whether it can be read now.
    fn take(&self) -> bool {
        if !self.is_taken {
            return self.free().is_some();
        }
        let mut hold = self.hold();
        hold.wanted = true;
        self.take_for(&mut hold)
    }

    /// Takes it over again if another program has changed it meanwhile.
    fn keep(&self) {
        let mut hold = self.hold();
        if hold.wanted {
            self.take_for(&mut hold);
        }
    }

    /// The settings of the terminal, if this process is in the foreground and no other program has taken it over.
    fn free(&self) -> Option<Termios> {
        let now = termios::tcgetattr(&self.terminal).ok().filter(|_| is_in_front_of(&self.terminal));
        now.filter(|now| now.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO))
    }

    fn take_for(&self, hold: &mut Hold) -> bool {
        if let Some(now) = self.free() {
            let mut silent = now.clone();
            silent.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ECHONL;
            silent.special_codes[SpecialCodeIndex::VMIN] = 1;
            silent.special_codes[SpecialCodeIndex::VTIME] = 0;
            // Ctrl-\ would end this process and leave the terminal without echo.
            silent.special_codes[SpecialCodeIndex::VQUIT] = DISABLED;
            if termios::tcsetattr(&self.terminal, OptionalActions::Now, &silent).is_ok() {
                hold.before = Some(now);
            }
        }
        hold.before.is_some()
    }

    /// Restores the terminal, unless another program has taken it over in the meantime.
    ///
    /// Also from the background: kubectl may have ended by now, and the shell be in the foreground. Changing the terminal from
    /// the background stops a process that has not blocked the signal for it.
    fn give_back(&self) {
        let mut hold = self.hold();
        hold.wanted = false;
        // Shells that edit lines switch echo off as well, but leave Ctrl-\ alone.
        let is_ours = termios::tcgetattr(&self.terminal)
            .is_ok_and(|now| now.special_codes[SpecialCodeIndex::VQUIT] == DISABLED)
            && SigSet::from(SIGTTOU).thread_block().is_ok();
        if is_ours && let Some(before) = hold.before.take() {
            // Without waiting for pending output: it may be stopped (Ctrl-S).
            let _ = termios::tcsetattr(&self.terminal, OptionalActions::Now, &before);
            // Pasted input that was not read must not become the shell's next command.
            let _ = termios::tcflush(&self.terminal, QueueSelector::IFlush);
        }
    }
}

/// Restores the terminal on Ctrl-Z, and takes it over again when this process continues: not every shell does that.
///
/// After the task has ended, Ctrl-Z does nothing; by then little is left to do.
fn follow_job_control(terminal: Arc<ControllingTerminal>) -> Option<AbortHandle> {
    let mut stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw())).ok()?;
    let mut go_on = signal(SignalKind::from_raw(Signal::CONT.as_raw())).ok()?;
    let follow = async move {
        loop {
            tokio::select! {
                Some(()) = stop.recv() => {
                    terminal.give_back();
                    // Stops if Ctrl-Z would, and only then: not if no shell could continue the process.
                    let _ = kill_process(getpid(), Signal::TTIN);
                    terminal.take();
                }
                Some(()) = go_on.recv() => {
                    terminal.take();
                }
                else => return,
            }
        }
    };
    Some(tokio::spawn(follow).abort_handle())
}

/// Reads until the other end of `wake` is closed, the terminal is gone, or the receiver is dropped.
fn read_terminal(terminal: &ControllingTerminal, wake: &OwnedFd, lines: &UnboundedSender<Secret>) {
    let mut line = LineBuffer::default();
    let mut bytes = Zeroizing::new([0u8; 4096]);
    loop {
        // The system stops a process that reads from its terminal in the background.
        let in_front = is_in_front_of(&terminal.terminal);
        let mut ready =
            [PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN), PollFd::new(&terminal.terminal, PollFlags::IN)];
        let watched = if in_front { &mut ready[..] } else { &mut ready[..1] };
        let polled = poll(watched, Some(&LOOK));
        match polled {
            Ok(_) if !ready[0].revents().is_empty() => return,
            Ok(0) => {
                terminal.keep();
                continue;
            }
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return,
        }
        if !is_in_front_of(&terminal.terminal) {
            continue;
        }
        match (&terminal.terminal).read(&mut bytes[..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(count) => {
                for complete in bytes[..count].iter().filter_map(|byte| line.take(*byte)) {
                    if lines.send(complete).is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Reads lines until they end; the last one need not.
fn read_lines(mut input: impl io::Read, lines: &UnboundedSender<Secret>) {
    let mut line = LineBuffer::default();
    let mut bytes = Zeroizing::new([0u8; 4096]);
    loop {
        let count = input.read(&mut bytes[..]).unwrap_or(0);
        let end = if count == 0 { line.take(b'\n') } else { None };
        for complete in bytes[..count].iter().filter_map(|byte| line.take(*byte)).chain(end) {
            if lines.send(complete).is_err() {
                return;
            }
        }
        if count == 0 {
            return;
        }
    }
}

/// The line being typed.
#[derive(Default)]
struct LineBuffer(Zeroizing<Vec<u8>>);

impl LineBuffer {
    /// Adds a byte; returns the line if that was its end. Empty lines are skipped.
    fn take(&mut self, byte: u8) -> Option<Secret> {
        match byte {
            b'\r' | b'\n' => {
                let text = Zeroizing::new(String::from_utf8_lossy(&self.0).into_owned());
                self.0.clear();
                // A terminal may put these around a paste (bracketed paste).
                let text = text.trim_start_matches("\x1b[200~").trim_end_matches("\x1b[201~");
                (!text.trim().is_empty()).then(|| Secret::new(text))
            }
            // Backspace takes a character, which may be several bytes of UTF-8.
            0x7f | 0x08 => {
                while self.0.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
                None
            }
            // Ctrl-D does not end a line.
            0x04 => None,
            // Ctrl-U.
            0x15 => {
                self.0.clear();
                None
            }
            byte => {
                if self.0.len() < LINE {
                    self.0.push(byte);
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_keys_and_pastes_are_applied_to_lines() {
        let (sender, mut received) = unbounded_channel();
        let typed = "\n  one \rtwü\x7fo\nwrong\x15three\n\x1b[200~fo\x04ur\x1b[201~\nfive";
        read_lines(typed.as_bytes(), &sender);
        drop(sender);
        let mut lines = Vec::new();
        while let Ok(line) = received.try_recv() {
            lines.push(line.expose().to_owned());
        }
        assert_eq!(lines, ["  one ", "two", "three", "four", "five"]);
    }

    #[test]
    fn long_line_is_read_whole() {
        let (sender, mut received) = unbounded_channel();
        read_lines("x".repeat(100_000).as_bytes(), &sender);
        assert_eq!(received.try_recv().map(|line| line.expose().len()), Ok(100_000));
    }
}
