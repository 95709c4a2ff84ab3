//! The line that shows how long a code is valid, rewritten every second.

use std::io::Write;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use kubectl_login_core::clock;

/// Puts the cursor at the beginning of an empty line.
pub(super) const CLEAR_LINE: &str = "\r\x1b[2K";
/// How long to wait for the line to be cleared: a stopped terminal (Ctrl-S) must not delay what comes next.
pub(super) const TIDYING: Duration = Duration::from_millis(300);

/// A countdown on its own thread, since nothing else in this process wakes up every second. Dropping it stops it and
/// leaves an empty line.
pub(super) struct Countdown {
    stop: Option<Sender<()>>,
    stopped: Receiver<()>,
}

impl Countdown {
    /// Counts down from `life` on `terminal` the time left `to` do something, in lines shorter than `columns`, while `is_ours`
    /// holds: in the background the line may belong to the shell, with half a command on it.
    pub(super) fn start(
        mut terminal: Box<dyn Write + Send>,
        is_ours: impl Fn() -> bool + Send + 'static,
        life: Duration,
        to: &'static str,
        columns: usize,
    ) -> Countdown {
        let end = Instant::now() + clock::life(life);
        let (stop, told_to_stop) = mpsc::channel();
        let (done, stopped) = mpsc::channel();
        let count = move || {
            loop {
                let left = end.saturating_duration_since(Instant::now());
                let line: String = line(left, to).chars().take(columns.saturating_sub(1)).collect();
                if is_ours() {
                    // If the terminal is gone, the next message fails.
                    let _ = write!(terminal, "{CLEAR_LINE}{line}").and_then(|()| terminal.flush());
                }
                let to_next_second = Duration::from_nanos(left.subsec_nanos().into()) + Duration::from_millis(1);
                if left.is_zero() || told_to_stop.recv_timeout(to_next_second) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            let _ = told_to_stop.recv();
            if is_ours() {
                let _ = write!(terminal, "{CLEAR_LINE}").and_then(|()| terminal.flush());
            }
            let _ = done.send(());
        };
        // If no thread can be started, the sign-in goes on without a countdown.
        let _ = std::thread::Builder::new().name("countdown".to_owned()).spawn(count);
        Countdown { stop: Some(stop), stopped }
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.stopped.recv_timeout(TIDYING);
    }
}

fn line(left: Duration, to: &str) -> String {
    let seconds = left.as_secs() + u64::from(left.subsec_millis() > 0);
    // The time comes first: a narrow window cuts off the rest.
    format!("{}:{:02} left to {to}.", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn start(paper: &Paper, is_ours: bool) -> Countdown {
        Countdown::start(Box::new(paper.clone()), move || is_ours, Duration::from_secs(90), "use the code", 20)
    }

    #[test]
    fn countdown_in_the_background_writes_nothing() {
        let paper = Paper::default();
        drop(start(&paper, false));
        assert!(paper.0.lock().expect("no panic").is_empty());
    }

    #[test]
    fn dropped_countdown_leaves_an_empty_line() {
        let paper = Paper::default();
        let countdown = start(&paper, true);
        drop(countdown);
        let text = String::from_utf8(paper.0.lock().expect("no panic").clone()).expect("text");
        assert!(text.starts_with("\r\x1b[2K1:30 left to use th\r"), "{text:?}");
        assert!(text.ends_with(CLEAR_LINE), "{text:?}");
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(line(Duration::from_millis(59_001), "use the code"), "1:00 left to use the code.");
        assert_eq!(line(Duration::from_secs(900), "use the code"), "15:00 left to use the code.");
        assert_eq!(line(Duration::ZERO, "use the code"), "0:00 left to use the code.");
    }
}
