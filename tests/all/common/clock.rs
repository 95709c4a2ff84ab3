//! The clock of a home directory: the test hook of the plugin's debug builds (`crates/core/src/clock.rs`), so that
//! tests do not wait for real seconds.

use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sim::World;
use tempfile::TempPath;

use crate::common::Home;

/// How many times shorter the plugin's pauses are: with an interval of one second, it polls every 50 ms.
const PAUSES: u32 = 20;

/// The variable that names the clock's file.
const VARIABLE: &str = "KUBECTL_LOGIN_TEST_CLOCK";

/// How long a pause of `time` really takes.
pub fn pause(time: Duration) -> Duration {
    time / PAUSES
}

/// A file that each plugin process reads once. It is not in the home directory, because some tests check all files
/// there.
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
        // Worlds expect earlier polls accordingly.
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
        // Atomically, because a plugin process may be reading it, possibly as another user.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("shift={shift},waits={waits},limits={limits},lives={lives}")).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }
}

/// Settings for plugin processes that are started from now on.
impl Home {
    /// Makes a command and its children use this home directory's clock.
    pub fn on_its_clock<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let (name, file) = self.clock_variable();
        command.env(name, file)
    }

    /// The variable and its value.
    pub fn clock_variable(&self) -> (&'static str, &str) {
        (VARIABLE, self.clock.file.to_str().unwrap())
    }

    /// Advances the time for the plugin and for the world.
    pub fn advance_time(&self, world: &World, seconds: u32) {
        self.clock.set(|time| time.shift += i64::from(seconds));
        world.advance(Duration::from_secs(seconds.into()));
    }

    /// Sets the time for the plugin.
    pub fn set_time(&self, time: DateTime<Utc>) {
        self.clock.set(|clock| clock.shift = (time - Utc::now()).num_seconds());
    }

    /// Makes the world's device codes expire within a second. The plugin polls once in that time, and the poll can
    /// succeed.
    pub fn let_codes_expire(&self, world: &World) {
        world.set_interval(Some(5));
        world.set_code_lifetime(Duration::from_secs(6));
        self.shorten_lives(6);
    }

    /// Divides the time that users have by so many.
    pub fn shorten_lives(&self, times: u32) {
        self.clock.set(|time| time.lives = 1.0 / f64::from(times));
    }

    /// Divides the timeouts for machines by so many. Leave enough time for a busy machine.
    pub fn shorten_limits(&self, times: u32) {
        self.clock.set(|time| time.limits = 1.0 / f64::from(times));
    }

    /// Makes all failures count as quick, even if they took a minute: the same caller then contacts the issuer again.
    pub fn make_failures_quick(&self) {
        self.lengthen_limits(60);
    }

    /// Multiplies the timeouts for machines by so many, for busy machines.
    pub fn lengthen_limits(&self, times: u32) {
        self.clock.set(|time| time.limits = times.into());
    }
}
