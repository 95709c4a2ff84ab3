//! A line that says how far something is, while somebody waits for it at a terminal.

use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use kubectl_login::environment::Environment;
use kubectl_login_core::clock;

use super::countdown::{CLEAR_LINE, TIDYING};
use super::keyboard::is_in_front;
use super::screen::Screen;

/// How long nothing is said: most answers come sooner.
const SILENCE: Duration = Duration::from_secs(1);

/// A progress line on stderr; nothing where that is no terminal. A thread of its own writes it, so that a terminal that
/// takes nothing (Ctrl-S) holds up nobody. Dropping it leaves an empty line.
pub(crate) struct Progress(Option<Line>);

struct Line {
    counts: Option<Sender<usize>>,
    stopped: Receiver<()>,
}

impl Progress {
    /// Says how many of `what` Microsoft Graph has told.
    pub(crate) fn of(what: &'static str, environment: &Environment) -> Progress {
        let stderr = io::stderr();
        if !stderr.is_terminal() {
            return Progress(None);
        }
        let screen = Screen::of(terminal_size::terminal_size_of(&stderr), environment);
        let line = || Line::start(Box::new(stderr), is_in_front, what, screen.columns().unwrap_or(80));
        Progress(screen.counts_down.then(line))
    }

    /// So many so far. None: Graph has been asked, which is said once that takes a while.
    pub(crate) fn at(&self, count: usize) {
        if let Some(counts) = self.0.as_ref().and_then(|line| line.counts.as_ref()) {
            // Without the thread there is no line, and the work goes on.
            let _ = counts.send(count);
        }
    }
}

impl Line {
    /// Writes to `terminal` in lines of less than `columns`, whenever `is_ours`: in the background the line may be the
    /// shell's.
    fn start(
        mut terminal: Box<dyn Write + Send>,
        is_ours: impl Fn() -> bool + Send + 'static,
        what: &'static str,
        columns: usize,
    ) -> Line {
        let (counts, told) = mpsc::channel();
        let (done, stopped) = mpsc::channel();
        let mut put = move |line: &str| {
            let line: String = line.chars().take(columns.saturating_sub(1)).collect();
            let may = is_ours();
            if may {
                // A terminal that is gone is noticed by whoever has something to say.
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
        Line { counts: Some(counts), stopped }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        drop(self.counts.take());
        let _ = self.stopped.recv_timeout(TIDYING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::briefly::tests::Stopped;

    #[test]
    fn a_terminal_that_takes_nothing_holds_up_nobody() {
        let progress = Progress(Some(Line::start(Box::new(Stopped), || true, "groups", 80)));
        (1..1000).for_each(|count| progress.at(count));
    }
}
