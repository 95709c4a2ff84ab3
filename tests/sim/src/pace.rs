//! How time goes by in the worlds of this process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static PACE: AtomicU32 = AtomicU32::new(1);

/// Has every world of this process expect clients whose pauses are this many times shorter than what they are told to
/// make: between polls, and before another try.
pub fn expect_shorter_pauses(times: u32) {
    PACE.store(times.max(1), Ordering::Relaxed);
}

/// How long a pause lasts that a client is told to make.
pub(crate) fn pause(time: Duration) -> Duration {
    time / PACE.load(Ordering::Relaxed)
}
