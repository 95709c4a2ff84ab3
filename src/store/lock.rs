//! Locks between processes: one file each, locked with the system's advisory lock, which the system releases when its
//! holder ends, however that happens. Lock files are never deleted (two processes could otherwise hold "the" lock) except
//! together with the whole folder ([`super::removal`]), and every wait has a limit.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::FileError;
use super::files;

/// The pause between two tries is this part of the time waited so far, so that a waiter notices the end of a wait late by
/// this part at most, within these limits.
const PAUSE_DIVISOR: u32 = 16;
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// The note that a holder leaves for waiting processes. No secrets: any process of this user can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// The holder's process id.
    pub pid: u32,
    /// Unix time in seconds of this note: each slow step writes a new one.
    pub noted_at: i64,
    /// Unix time in seconds until which a user has time to sign in, if one is being prompted.
    pub asks_until: Option<i64>,
}

/// What a waiter decides each time it finds the lock taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitDecision {
    /// Try again.
    Wait,
    /// Stop waiting.
    GiveUp,
}

/// Why a lock was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The lock file cannot be created or locked.
    #[error("the lock file cannot be used")]
    Unusable(#[source] FileError),
    /// The waiter gave up; with the holder's note.
    #[error("another process holds the lock")]
    GaveUp(Option<LockHolder>),
}

/// Takes the lock at `path`. Each time another process holds it, `decide` is called with the holder's note and the time
/// waited so far.
///
/// Errors: the lock file cannot be used, or `decide` gave up.
pub fn acquire(
    path: &Path,
    mut decide: impl FnMut(Option<&LockHolder>, Duration) -> WaitDecision,
) -> Result<Lock, LockError> {
    let mut file = files::open_lock(path).map_err(LockError::Unusable)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => {
                let mut lock = Lock { file };
                // The note of the last holder does not hold for this one.
                lock.note(b"");
                return Ok(lock);
            }
            Err(TryLockError::Error(error)) => return Err(LockError::Unusable(error.into())),
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file);
                if decide(holder.as_ref(), started.elapsed()) == WaitDecision::GiveUp {
                    return Err(LockError::GaveUp(holder));
                }
            }
        }
        std::thread::sleep((started.elapsed() / PAUSE_DIVISOR).clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
    }
}

/// Takes the lock at `path` within `limit`; `None` if it cannot, for any reason.
pub fn acquire_within(path: &Path, limit: Duration) -> Option<Lock> {
    acquire(path, |_, waited| if waited < limit { WaitDecision::Wait } else { WaitDecision::GiveUp }).ok()
}

impl Lock {
    /// Leaves a note for waiting processes. If that fails, they only know less.
    pub fn announce(&mut self, holder: &LockHolder) {
        if let Ok(bytes) = serde_json::to_vec(holder) {
            self.note(&bytes);
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        let written = self.file.rewind().and_then(|()| self.file.set_len(0)).and_then(|()| self.file.write_all(bytes));
        if let Err(error) = written {
            tracing::debug!(%error, "the note in the lock file cannot be written");
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.note(b"");
        // Closing the file is not enough: a child that is just being started has a copy of it until it runs its program.
        let _ = self.file.unlock();
    }
}

/// The holder's note. One by a process that has ended is ignored: until the next holder clears it, it would speak for the
/// wrong one.
fn read_holder(file: &mut File) -> Option<LockHolder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok().filter(|holder: &LockHolder| is_alive(holder.pid))
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
    fn waiter_reads_the_note_of_the_holder_and_may_give_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let holder = LockHolder { pid: std::process::id(), noted_at: 1, asks_until: Some(9) };
        let mut lock = acquire(&path, |_, _| WaitDecision::GiveUp).expect("free");
        lock.announce(&holder);
        match acquire(&path, |_, _| WaitDecision::GiveUp) {
            Err(LockError::GaveUp(seen)) => assert_eq!(seen, Some(holder.clone())),
            _ => panic!("the lock is held"),
        }
        lock.announce(&LockHolder { pid: u32::MAX, ..holder });
        match acquire(&path, |_, _| WaitDecision::GiveUp) {
            Err(LockError::GaveUp(seen)) => assert_eq!(seen, None, "the note of a process that has ended is ignored"),
            _ => panic!("the lock is held"),
        }
        drop(lock);
        assert_eq!(std::fs::read(&path).expect("the lock file"), b"");
        assert!(acquire(&path, |_, _| WaitDecision::GiveUp).is_ok());
    }
}
