//! What the machine has to provide: file descriptors and threads, without which libraries panic, and a usable clock.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use kubectl_login_core::clock;

/// tokio's driver needs five descriptors and a connection two; the Secret Service client needs fewer.
#[cfg(unix)]
const DESCRIPTORS: usize = 8;
/// The Secret Service client starts three threads; tokio looks up names on one.
const THREADS: usize = 3;
/// The end of the year 9999. kubectl cannot read a later expiry, and date arithmetic may leave the calendar.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// Why dates cannot be calculated with the clock of this machine. TLS and date libraries panic there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// It is before 1970.
    #[error("the clock shows a date before 1970")]
    BeforeUnixEpoch,
    /// It is after 9999.
    #[error("the clock shows a date after 9999")]
    AfterYear9999,
}

/// The time by the clock of this machine, if dates can be calculated with it.
///
/// Errors: it is before 1970 or after 9999.
pub fn read_clock() -> Result<DateTime<Utc>, ClockError> {
    let now = clock::system();
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) if since <= LATEST => Ok(now.into()),
        Ok(_) => Err(ClockError::AfterYear9999),
        Err(_) => Err(ClockError::BeforeUnixEpoch),
    }
}

/// Checks that the system has enough descriptors and threads left for a runtime or a keyring client.
///
/// Errors: the system's own, such as "Too many open files".
pub fn check() -> io::Result<()> {
    #[cfg(unix)]
    check_descriptors()?;
    check_threads()
}

#[cfg(unix)]
fn check_descriptors() -> io::Result<()> {
    let spare = (0..DESCRIPTORS).map(|_| rustix::io::fcntl_dupfd_cloexec(io::stderr(), 0));
    Ok(spare.collect::<Result<Vec<_>, _>>().map(drop)?)
}

/// All threads exist at once; each ends when its sender is dropped.
fn check_threads() -> io::Result<()> {
    thread::scope(|scope| {
        let mut held = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let (sender, receiver) = mpsc::channel::<()>();
            thread::Builder::new().spawn_scoped(scope, move || receiver.recv())?;
            held.push(sender);
        }
        Ok(())
    })
}
