//! A shell in a terminal, in which kubectl and the plugin can be typed.

use std::os::unix::fs::symlink;

use crate::common::kubectl::Kubectl;
use crate::common::tmux::{Screen, Setting};
use crate::common::{Home, PLUGIN, needed};

/// Shells, with flags that keep them from reading the machine's files.
pub const BASH: [&str; 4] = ["bash", "--norc", "--noprofile", "-i"];
pub const DASH: [&str; 2] = ["dash", "-i"];
pub const ZSH: [&str; 3] = ["zsh", "-f", "-i"];

/// An interactive bash whose PATH has kubectl and the plugin, as `kubectl-login`, and whose kubeconfig is `kubeconfig`.
pub fn shell(home: &Home, kubeconfig: &str) -> Screen {
    let screen = shell_of(&BASH, "[$?] $ ", home, kubeconfig);
    screen.wait_for("[0] $");
    screen
}

/// The same with any shell, and with its prompt, which may not have appeared yet.
pub fn shell_of(shell: &[&str], prompt: &str, home: &Home, kubeconfig: &str) -> Screen {
    let program = needed(shell[0], shell[0]);
    let programs = home.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    symlink(PLUGIN, programs.join("kubectl-login")).unwrap();
    symlink(Kubectl::find().path, programs.join("kubectl")).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::iter::once(programs).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).unwrap().into_string().unwrap();
    let place = home.path().join("kubeconfig");
    std::fs::write(&place, kubeconfig).unwrap();
    let setting = Setting::new(home).size(100, 40).env("PATH", &path).env("KUBECONFIG", place.to_str().unwrap());
    setting.env("PS1", prompt).program(&[&[program.to_str().unwrap()], &shell[1..]].concat())
}

/// Clears the screen, types a command and waits for the next prompt. Not for commands that leave output in the
/// background.
#[track_caller]
pub fn run(screen: &Screen, line: &str) -> String {
    clear(screen);
    screen.type_line(line);
    screen.until(&format!("{line:?} has ended"), || {
        let text = screen.capture();
        let (before, last) = text.trim_end().rsplit_once('\n')?;
        (before.contains(line) && is_prompt(last)).then_some(text)
    })
}

/// Clears the screen except for the prompt. Waits for the prompt first, because a running program would receive the
/// key.
#[track_caller]
pub fn clear(screen: &Screen) {
    screen.until("the shell reads", || screen.capture().lines().last().is_some_and(is_prompt).then_some(()));
    screen.press(&["C-l"]);
    screen.until("the screen is empty", || is_prompt(screen.capture().trim_end()).then_some(()));
}

/// `[0] $`: the last exit code, and an empty command line.
fn is_prompt(line: &str) -> bool {
    line.strip_prefix('[').and_then(|rest| rest.strip_suffix("] $")).is_some_and(|code| code.parse::<u8>().is_ok())
}
