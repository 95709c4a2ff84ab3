//! A line on the terminal that shows progress while the user waits.

use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use kubectl_login::environment::Environment;
use kubectl_login_core::clock;

use super::countdown::{CLEAR_LINE, TIDYING};
use super::keyboard::is_in_front;
use super::terminal_features::TerminalFeatures;

/// How long nothing is shown: most requests are faster.
const SILENCE: Duration = Duration::from_secs(1);

/// A progress line on stderr, if that is a terminal. It is written on its own thread, so that a stopped terminal (Ctrl-S)
/// does not delay the work. Dropping it leaves an empty line.
pub(crate) struct Progress(Option<ProgressLine>);

struct ProgressLine {
    counts: Option<Sender<usize>>,
    stopped: Receiver<()>,
}

impl Progress {
    /// Starts a line that shows how many of `what` Microsoft Graph has returned.
    pub(crate) fn start(what: &'static str, environment: &Environment) -> Progress {
        let stderr = io::stderr();
        if !stderr.is_terminal() {
            return Progress(None);
        }
        let screen = TerminalFeatures::new(terminal_size::terminal_size_of(&stderr), environment);
        let line = || ProgressLine::start(Box::new(stderr), is_in_front, what, screen.columns().unwrap_or(80));
        Progress(screen.counts_down.then(line))
    }

    /// Shows the number so far. 0: the request was sent, which is shown if it takes a while.
    pub(crate) fn reporter(&self) -> impl Fn(usize) + Sync {
        let counts = self.0.as_ref().and_then(|line| line.counts.as_ref());
        move |count| {
            if let Some(counts) = counts {
                // Fails if the thread could not be started; the work goes on without a line.
                let _ = counts.send(count);
            }
        }
    }
}

impl ProgressLine {
    /// Writes to `terminal` in lines shorter than `columns` while `is_ours` holds: in the background the line may belong to
    /// the shell.
    fn start(
        mut terminal: Box<dyn Write + Send>,
        is_ours: impl Fn() -> bool + Send + 'static,
        what: &'static str,
        columns: usize,
    ) -> ProgressLine {
        let (counts, told) = mpsc::channel();
        let (done, stopped) = mpsc::channel();
        let mut put = move |line: &str| {
            let line: String = line.chars().take(columns.saturating_sub(1)).collect();
            let may = is_ours();
            if may {
                // If the terminal is gone, the next message fails.
                let _ = write!(terminal, "{CLEAR_LINE}{line}").and_then(|()| terminal.flush());
            }
            may
        };
        let show = move || {
            let mut is_shown = false;
            let mut is_asked = false;
            loop {
                let news = match is_asked {
                    true => told.recv_timeout(clock::limit(SILENCE)),
                    false => told.recv().map_err(RecvTimeoutError::from),
                };
                is_asked = news == Ok(0);
                is_shown |= match news {
                    Ok(0) => false,
                    Ok(count) => put(&format!("{count} {what} so far")),
                    Err(RecvTimeoutError::Timeout) => put(&format!("asking Microsoft Graph for {what}")),
                    Err(RecvTimeoutError::Disconnected) => break,
                };
            }
            if is_shown {
                put("");
            }
            let _ = done.send(());
        };
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(show);
        ProgressLine { counts: Some(counts), stopped }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        drop(self.counts.take());
        let _ = self.stopped.recv_timeout(TIDYING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::timed_write::tests::Stopped;

    #[test]
    fn stopped_terminal_does_not_delay_the_work() {
        let progress = Progress(Some(ProgressLine::start(Box::new(Stopped), || true, "groups", 80)));
        (1..1000).for_each(progress.reporter());
    }
}
