//! Writes to a terminal with a time limit: it may be stopped.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// How long a terminal may take to accept a few lines while this process holds a token, or a lock that others wait for. A
/// stopped terminal (Ctrl-S) shows them when it continues.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the last message of a process may take. Limited, because signals may no longer end the process.
pub(crate) const FINAL_WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// Writes `text` on its own thread and waits for it as long as `limit`.
///
/// Errors: those of the writer within that time.
pub(crate) fn write_within(limit: Duration, writer: Box<dyn Write + Send>, text: String) -> io::Result<()> {
    let writer = Arc::new(Mutex::new(writer));
    let write = |writer: &Mutex<Box<dyn Write + Send>>, text: &str| match writer.lock() {
        Ok(mut writer) => writer.write_all(text.as_bytes()).and_then(|()| writer.flush()),
        Err(_) => Ok(()),
    };
    let (sender, receiver) = mpsc::channel();
    let (shared, line) = (Arc::clone(&writer), text.clone());
    let spawned = std::thread::Builder::new().name("terminal".to_owned()).spawn(move || {
        // Fails if the receiver has given up; the result is then of no use.
        let _ = sender.send(write(&shared, &line));
    });
    match spawned {
        Ok(_) => receiver.recv_timeout(limit).unwrap_or(Ok(())),
        // Without a thread, a late message is better than none.
        Err(_) => write(&writer, &text),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A terminal that accepts nothing.
    pub(in crate::ui) struct Stopped;

    impl Write for Stopped {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            loop {
                std::thread::park();
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn stopped_terminal_is_not_waited_for() {
        assert!(write_within(Duration::from_millis(10), Box::new(Stopped), "text".to_owned()).is_ok());
        assert!(write_within(FINAL_WRITE_TIMEOUT, Box::new(io::sink()), "text".to_owned()).is_ok());
    }
}
