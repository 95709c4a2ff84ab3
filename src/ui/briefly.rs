//! Writing to a terminal that may take nothing just now.

use std::io::{self, Write};
use std::sync::mpsc;
use std::time::Duration;

/// How long a terminal may take to accept a few lines. One that was stopped (Ctrl-S) shows them when it goes on.
const LIMIT: Duration = Duration::from_secs(1);

/// Writes `text` on a thread of its own and waits a second for it: whoever holds a token, or a lock that others wait for,
/// does not wait for a screen.
///
/// Errors: what the writer says within that time.
pub(crate) fn write_briefly(mut writer: Box<dyn Write + Send>, text: String) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new().name("terminal".to_owned()).spawn(move || {
        let written = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
        // Nobody may be listening any more; then the answer is of no use.
        let _ = sender.send(written);
    })?;
    receiver.recv_timeout(LIMIT).unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stopped;

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
        assert!(write_briefly(Box::new(Stopped), "text".to_owned()).is_ok());
        assert!(write_briefly(Box::new(io::sink()), "text".to_owned()).is_ok());
    }
}
