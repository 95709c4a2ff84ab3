//! The pace of time in the worlds of this process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static PACE: AtomicU32 = AtomicU32::new(1);

/// Makes each world of this process expect clients whose pauses are so many times shorter than they should be, between
/// polls and before retries.
pub fn expect_shorter_pauses(times: u32) {
    PACE.store(times.max(1), Ordering::Relaxed);
}

/// How long a client should really pause.
pub(crate) fn pause(time: Duration) -> Duration {
    time / PACE.load(Ordering::Relaxed)
}
