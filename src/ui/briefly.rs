//! Writing to a terminal that may take nothing just now.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// How long a terminal may take to accept a few lines while a token, or a lock that others wait for, is held. One that was
/// stopped (Ctrl-S) shows them when it goes on.
pub(crate) const BRIEFLY: Duration = Duration::from_secs(1);
/// How long the last words of a process wait. Not for ever: signals may no longer end it.
pub(crate) const AT_THE_END: Duration = Duration::from_secs(60);

/// Writes `text` on a thread of its own and waits for it as long as `limit`: nobody else waits for a screen.
///
/// Errors: what the writer says within that time.
pub(crate) fn write_within(limit: Duration, writer: Box<dyn Write + Send>, text: String) -> io::Result<()> {
    let writer = Arc::new(Mutex::new(writer));
    let write = |writer: &Mutex<Box<dyn Write + Send>>, text: &str| match writer.lock() {
        Ok(mut writer) => writer.write_all(text.as_bytes()).and_then(|()| writer.flush()),
        Err(_) => Ok(()),
    };
    let (sender, receiver) = mpsc::channel();
    let (shared, line) = (Arc::clone(&writer), text.clone());
    let spawned = std::thread::Builder::new().name("terminal".to_owned()).spawn(move || {
        // Nobody may be listening any more; then the answer is of no use.
        let _ = sender.send(write(&shared, &line));
    });
    match spawned {
        Ok(_) => receiver.recv_timeout(limit).unwrap_or(Ok(())),
        // Better late than never.
        Err(_) => write(&writer, &text),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A terminal that takes nothing.
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
    fn one_that_takes_nothing_is_not_waited_for() {
        assert!(write_within(Duration::from_millis(10), Box::new(Stopped), "text".to_owned()).is_ok());
        assert!(write_within(AT_THE_END, Box::new(io::sink()), "text".to_owned()).is_ok());
    }
}
