//! The clock of a home: what the plugin's debug builds take for the time (`src/clock.rs`), so that no test waits for real
//! seconds to pass.

use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sim::World;
use tempfile::TempPath;

use crate::common::Home;

/// How many times shorter the pauses are that the plugin makes on purpose: a poll a second is one in 50 ms.
const PAUSES: u32 = 20;

/// Where the plugin finds its clock.
const VARIABLE: &str = "KUBECTL_LOGIN_TEST_CLOCK";

/// How long a pause is that the plugin makes on purpose where it says `time`.
pub fn pause(time: Duration) -> Duration {
    time / PAUSES
}

/// The file that each plugin reads once, outside of the home: some tests look at all that is in one.
pub struct Clock {
    file: TempPath,
    time: Mutex<Time>,
}

struct Time {
    shift: i64,
    limits: f64,
    lives: f64,
}

impl Clock {
    pub fn new() -> Clock {
        // Worlds expect polls as early as pauses are short.
        sim::expect_shorter_pauses(PAUSES);
        let file = tempfile::NamedTempFile::new_in("/tmp").unwrap().into_temp_path();
        let clock = Clock { file, time: Mutex::new(Time { shift: 0, limits: 1.0, lives: 1.0 }) };
        clock.set(|_| ());
        clock
    }

    fn set(&self, change: impl FnOnce(&mut Time)) {
        let mut time = self.time.lock().unwrap();
        change(&mut time);
        let Time { shift, limits, lives } = *time;
        let waits = 1.0 / f64::from(PAUSES);
        // At once, as a plugin may be reading it; and other users may.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("shift={shift},waits={waits},limits={limits},lives={lives}")).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }
}

/// What counts for plugins that are started from now on.
impl Home {
    /// Has a command, and what it starts, go by this home's clock.
    pub fn on_its_clock<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let (name, file) = self.clock_variable();
        command.env(name, file)
    }

    /// The variable that does it.
    pub fn clock_variable(&self) -> (&'static str, &str) {
        (VARIABLE, self.clock.file.to_str().unwrap())
    }

    /// Lets time go by for them, and for the world that they live in.
    pub fn pass(&self, world: &World, seconds: u32) {
        self.clock.set(|time| time.shift += i64::from(seconds));
        world.advance(Duration::from_secs(seconds.into()));
    }

    /// Makes it `time` for them, whatever the time really is.
    pub fn set_time(&self, time: DateTime<Utc>) {
        self.clock.set(|clock| clock.shift = (time - Utc::now()).num_seconds());
    }

    /// Has the world's device codes end within a second, in which they are asked for once: that has time for its answer.
    pub fn let_codes_end(&self, world: &World) {
        world.set_interval(Some(5));
        world.set_code_lifetime(Duration::from_secs(6));
        self.shorten_lives(6);
    }

    /// Makes the time that people have this many times shorter than it really is.
    pub fn shorten_lives(&self, times: u32) {
        self.clock.set(|time| time.lives = 1.0 / f64::from(times));
    }

    /// The same with the limits for machines. What has to be done within them should have time left on a busy one.
    pub fn shorten_limits(&self, times: u32) {
        self.clock.set(|time| time.limits = 1.0 / f64::from(times));
    }

    /// Has failures count as quick, after which the same caller asks the issuer again at once, even if they took a minute.
    pub fn let_failures_be_quick(&self) {
        self.lengthen_limits(60);
    }

    /// Makes the limits for machines this many times longer, where a busy one may need it.
    pub fn lengthen_limits(&self, times: u32) {
        self.clock.set(|time| time.limits = times.into());
    }
}
