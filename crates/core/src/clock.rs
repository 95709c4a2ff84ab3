//! The time of day, and how long the program waits: the only place that reads the system's clock.
//!
//! Debug builds have a hook for tests, so that tests do not wait for real seconds. The variable `KUBECTL_LOGIN_TEST_CLOCK`
//! names a file like `shift=3600,waits=0.05,limits=0.25,lives=0.1`: seconds to add to the time of day, and factors for
//! pauses, limits and the time that users have. Missing values change nothing. The file is read once per process. It is a
//! file and not a value, so that a test can move the clock for callers whose environment stays the same. Release builds do
//! not contain the hook.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

/// The time of day.
pub fn now() -> DateTime<Utc> {
    system().into()
}

/// The time of day as the system's type, for comparisons with the times of files.
pub fn system() -> SystemTime {
    let now = SystemTime::now();
    #[cfg(debug_assertions)]
    let now = test::clock().shifted(now);
    now
}

/// The length of a deliberate pause, such as between polls or before a retry.
pub fn wait(time: Duration) -> Duration {
    #[cfg(debug_assertions)]
    let time = test::times(test::clock().waits, time);
    time
}

/// The length of a timeout for machines: networks, keyrings, locks, terminals.
pub fn limit(time: Duration) -> Duration {
    #[cfg(debug_assertions)]
    let time = test::times(test::clock().limits, time);
    time
}

/// The time that a user has: the lifetime of a code, or how long a page or a prompt waits.
pub fn life(time: Duration) -> Duration {
    #[cfg(debug_assertions)]
    let time = test::times(test::clock().lives, time);
    time
}

/// The hook for tests.
#[cfg(debug_assertions)]
mod test {
    use std::sync::OnceLock;
    use std::time::{Duration, SystemTime};

    const VARIABLE: &str = "KUBECTL_LOGIN_TEST_CLOCK";

    #[derive(Debug, PartialEq)]
    pub(super) struct Clock {
        pub(super) shift: i64,
        pub(super) waits: f64,
        pub(super) limits: f64,
        pub(super) lives: f64,
    }

    /// The clock without the file.
    pub(super) const REAL: Clock = Clock { shift: 0, waits: 1.0, limits: 1.0, lives: 1.0 };

    /// The clock that the variable describes.
    ///
    /// # Panics
    ///
    /// If the file cannot be read or is malformed: the test would run with the wrong clock.
    pub(super) fn clock() -> &'static Clock {
        static CLOCK: OnceLock<Clock> = OnceLock::new();
        CLOCK.get_or_init(|| {
            let Some(file) = std::env::var_os(VARIABLE) else { return REAL };
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{VARIABLE}: {file:?}: {error}"));
            Clock::read(text.trim()).unwrap_or_else(|| panic!("{VARIABLE}: {file:?} holds {text:?}"))
        })
    }

    pub(super) fn times(factor: f64, time: Duration) -> Duration {
        // Durations that are too long to be multiplied stay as they are.
        if factor == 1.0 { time } else { Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(time) }
    }

    impl Clock {
        pub(super) fn shifted(&self, now: SystemTime) -> SystemTime {
            let span = Duration::from_secs(self.shift.unsigned_abs());
            if self.shift < 0 { now - span } else { now + span }
        }

        pub(super) fn read(text: &str) -> Option<Clock> {
            let mut clock = REAL;
            let factor = |text: &str| text.parse().ok().filter(|factor| *factor > 0.0 && *factor < 1000.0);
            for pair in text.split(',').filter(|pair| !pair.is_empty()) {
                match pair.split_once('=')? {
                    ("shift", seconds) => clock.shift = seconds.parse().ok()?,
                    ("waits", number) => clock.waits = factor(number)?,
                    ("limits", number) => clock.limits = factor(number)?,
                    ("lives", number) => clock.lives = factor(number)?,
                    _ => return None,
                }
            }
            Some(clock)
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::test::{Clock, REAL, times};
    use super::*;

    #[test]
    fn malformed_hook_is_rejected() {
        assert_eq!(Clock::read(""), Some(REAL));
        assert_eq!(Clock::read("limits=10,shift=-5"), Some(Clock { shift: -5, limits: 10.0, ..REAL }));
        assert_eq!(Clock::read("waits=0.05,lives=0.5"), Some(Clock { waits: 0.05, lives: 0.5, ..REAL }));
        for wrong in ["waits=0", "limits=-1", "lives=NaN", "shift=", "shift", "pauses=2", "waits=2;limits=2"] {
            assert_eq!(Clock::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hook_changes_times() {
        let clock = Clock { shift: -3600, ..REAL };
        let now = SystemTime::now();
        assert_eq!(clock.shifted(now) + Duration::from_secs(3600), now);
        assert_eq!(times(0.05, Duration::from_secs(1)), Duration::from_millis(50));
        assert_eq!(times(2.0, Duration::MAX), Duration::MAX);
    }
}
