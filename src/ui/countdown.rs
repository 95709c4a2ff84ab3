//! The line that says how long a code lives, written over once a second.

use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Puts the cursor at the beginning of an empty line.
pub(super) const CLEAR_LINE: &str = "\r\x1b[2K";

/// A countdown on a thread of its own, since nothing else in this process wakes up once a second. Dropping it stops it
/// and leaves an empty line.
pub(super) struct Countdown {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Countdown {
    /// Counts down from `life` on `terminal`, in lines of less than `columns`.
    pub(super) fn start(mut terminal: Box<dyn Write + Send>, life: Duration, columns: usize) -> Countdown {
        let end = Instant::now() + life;
        let (stop, stopped) = mpsc::channel();
        let count = move || {
            loop {
                let left = end.saturating_duration_since(Instant::now());
                let line: String = line(left).chars().take(columns.saturating_sub(1)).collect();
                // A terminal that is gone is noticed by whoever has something to say.
                let _ = write!(terminal, "{CLEAR_LINE}{line}").and_then(|()| terminal.flush());
                let to_next_second = Duration::from_nanos(left.subsec_nanos().into()) + Duration::from_millis(1);
                if left.is_zero() || stopped.recv_timeout(to_next_second) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            let _ = stopped.recv();
            let _ = write!(terminal, "{CLEAR_LINE}").and_then(|()| terminal.flush());
        };
        // Without a thread there is no countdown, and the sign-in goes on.
        let thread = std::thread::Builder::new().name("countdown".to_owned()).spawn(count).ok();
        Countdown { stop: Some(stop), thread }
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn line(left: Duration) -> String {
    let seconds = left.as_secs() + u64::from(left.subsec_millis() > 0);
    format!("The code is good for another {}:{:02}.", seconds / 60, seconds % 60)
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

    #[test]
    fn it_leaves_an_empty_line() {
        let paper = Paper::default();
        let countdown = Countdown::start(Box::new(paper.clone()), Duration::from_secs(90), 20);
        drop(countdown);
        let text = String::from_utf8(paper.0.lock().expect("no panic").clone()).expect("text");
        assert!(text.starts_with("\r\x1b[2KThe code is good fo\r"), "{text:?}");
        assert!(text.ends_with(CLEAR_LINE), "{text:?}");
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(line(Duration::from_millis(59_001)), "The code is good for another 1:00.");
        assert_eq!(line(Duration::from_secs(900)), "The code is good for another 15:00.");
        assert_eq!(line(Duration::ZERO), "The code is good for another 0:00.");
    }
}
