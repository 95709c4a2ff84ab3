//! An interactive shell in a real terminal.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{HANG, Home, Run, needed};

/// A tmux terminal, which ends when this is dropped.
pub(super) struct Terminal<'a> {
    home: &'a Home,
}

impl<'a> Terminal<'a> {
    /// Starts a command in the home directory; `prepare` sets its environment.
    pub(super) fn start(home: &'a Home, words: &[&str], prepare: impl FnOnce(&mut Command)) -> Terminal<'a> {
        needed("tmux", "tmux");
        let terminal = Terminal { home };
        let mut tmux = terminal.tmux(&["new-session", "-d", "-x", "120", "-y", "30"]);
        prepare(tmux.args(words).env("TERM", "xterm-256color"));
        assert!(tmux.status().unwrap().success(), "tmux does not start");
        terminal
    }

    /// Presses keys, by tmux's names.
    pub(super) fn press(&self, keys: &[&str]) {
        assert!(self.tmux(&["send-keys"]).args(keys).status().unwrap().success());
    }

    /// Types text literally.
    pub(super) fn write(&self, text: &str) {
        self.press(&["-l", text]);
    }

    /// Waits until the screen shows `text`.
    #[track_caller]
    pub(super) fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        loop {
            let screen = Run::of(&mut self.tmux(&["capture-pane", "-p", "-J"])).stdout;
            if screen.contains(text) {
                return;
            }
            assert!(begun.elapsed() < HANG, "{text:?} does not appear on the screen:\n{}", screen.trim_end());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn tmux(&self, args: &[&str]) -> Command {
        let mut command = self.home.program("tmux");
        command.arg("-f/dev/null").arg("-S").arg(self.home.path().join("tmux")).args(args);
        command.current_dir(self.home.path()).env_remove("TMUX").stderr(Stdio::null());
        command
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).status();
    }
}
