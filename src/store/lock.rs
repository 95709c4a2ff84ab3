//! Locks between processes: one file each, locked with the system's advisory lock, which ends with its holder however
//! that ends. Lock files are never unlinked (two processes could otherwise hold "the" lock), unless somebody wants the whole
//! folder gone ([`super::removal`]), and no wait is for ever.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::files;

/// First pause between tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A held lock; dropping it lets the next one in.
pub struct Lock {
    file: File,
}

/// What the holder tells those who wait. No secrets: any process of this user can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The holder's process id.
    pub pid: u32,
    /// Unix time in seconds of this note: it is written anew for each step that takes its time.
    pub noted_at: i64,
    /// Unix time in seconds until which a person may take, where one is being asked.
    pub asks_until: Option<i64>,
}

/// What a waiter decides each time it finds the lock taken.
pub enum Patience {
    /// Try again.
    Wait,
    /// Stop waiting.
    GiveUp,
}

/// Why there is no lock.
#[derive(Debug)]
pub enum LockError {
    /// No lock file can be made there.
    Unusable(std::io::Error),
    /// The waiter gave up; with what the holder said about itself.
    GaveUp(Option<Holder>),
}

/// Takes the lock at `path`. Whenever it is taken, `patience` is asked with what the holder says and how long this wait
/// has been going on.
///
/// Errors: no lock can be had there, or `patience` gave up.
pub fn acquire(
    path: &Path,
    mut patience: impl FnMut(Option<&Holder>, Duration) -> Patience,
) -> Result<Lock, LockError> {
    let mut file = files::open_lock(path).map_err(LockError::Unusable)?;
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match file.try_lock() {
            Ok(()) => {
                let mut lock = Lock { file };
                // Whatever the last holder said is not true of this one.
                lock.note(b"");
                return Ok(lock);
            }
            Err(TryLockError::Error(error)) => return Err(LockError::Unusable(error)),
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file);
                if let Patience::GiveUp = patience(holder.as_ref(), started.elapsed()) {
                    return Err(LockError::GaveUp(holder));
                }
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Takes the lock at `path` if it can be had within `limit`; `None` where it cannot, for whatever reason.
pub fn acquire_within(path: &Path, limit: Duration) -> Option<Lock> {
    acquire(path, |_, waited| if waited < limit { Patience::Wait } else { Patience::GiveUp }).ok()
}

impl Lock {
    /// Tells those who wait what this process is about. A failure is of no consequence: they wait with less knowledge.
    pub fn announce(&mut self, holder: &Holder) {
        if let Ok(bytes) = serde_json::to_vec(holder) {
            self.note(&bytes);
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        let written = self.file.rewind().and_then(|()| self.file.set_len(0)).and_then(|()| self.file.write_all(bytes));
        if let Err(error) = written {
            tracing::debug!(%error, "the lock file takes no note");
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.note(b"");
    }
}

/// The holder's note. One by a process that is gone is not believed: between its end and the moment the next holder
/// wipes it, it would speak for the wrong one.
fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok().filter(|holder: &Holder| is_alive(holder.pid))
}

#[cfg(unix)]
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

#[cfg(not(unix))]
fn is_alive(_: u32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_learns_who_holds_it_and_may_give_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let holder = Holder { pid: std::process::id(), noted_at: 1, asks_until: Some(9) };
        let mut lock = acquire(&path, |_, _| Patience::GiveUp).expect("free");
        lock.announce(&holder);
        match acquire(&path, |_, _| Patience::GiveUp) {
            Err(LockError::GaveUp(seen)) => assert_eq!(seen, Some(holder.clone())),
            _ => panic!("the lock is held"),
        }
        lock.announce(&Holder { pid: u32::MAX, ..holder });
        match acquire(&path, |_, _| Patience::GiveUp) {
            Err(LockError::GaveUp(seen)) => assert_eq!(seen, None, "a process that is gone has no say"),
            _ => panic!("the lock is held"),
        }
        drop(lock);
        assert_eq!(std::fs::read(&path).expect("there"), b"");
        assert!(acquire(&path, |_, _| Patience::GiveUp).is_ok());
    }
}
