//! Opening a page: started by absolute path, without our secrets, kept off our streams and our terminal, and never waited
//! for.
//!
//! A browser is one program that gets the address as its only argument: no shell, no other words. `BROWSER` may stand in
//! a kubeconfig's `exec.env`, and an allowlist of kubectl's that names this plugin lets no command line of that file run.
//! For the same reason a browser starts in the root folder: a program that saves what it is sent to (`wget`) would write
//! into the folder that kubectl was started in.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use kubectl_login::children;
use kubectl_login::environment::{self, Environment};
use kubectl_login::profile::Browser;
use kubectl_login_core::text::printable;
#[cfg(unix)]
use process_wrap::std::{CommandWrap, ProcessSession};
use url::Url;

/// Between two looks at a program that is watched.
const LOOK: Duration = Duration::from_millis(20);
/// The variables that Windows is given under WSL, and the one that the opener's address travels in.
const WSLENV: &str = "WSLENV";
const OPENER_ADDRESS: &str = "OPEN_RS_TARGET";

/// What came of opening a page. Whether it is shown is not known: the address is on the terminal all the same, where
/// there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// A program was started.
    Yes,
    /// There is none, or it would be of no use here.
    No,
    /// The program that was asked for by name cannot be started.
    Failed(String),
}

/// Why nobody would see a page that is opened here: over SSH (a forwarded display is far away too), in a pipeline, or
/// without a display, as in most containers. Under WSL the display is Windows'.
pub(super) fn headless_because(environment: &Environment) -> Option<String> {
    let set = |name: &str| environment.get_os(name).is_some();
    let far_away = [environment::SSH_CONNECTION, environment::SSH_TTY].into_iter().find(|name| set(name));
    if let Some(variable) = environment.ci().or(far_away) {
        return Some(format!("{variable} is set"));
    }
    let displays = [environment::DISPLAY, environment::WAYLAND_DISPLAY, environment::WSL_DISTRO_NAME];
    let has_display = cfg!(any(target_os = "macos", windows)) || displays.into_iter().any(set);
    (!has_display).then(|| "there is no display".to_owned())
}

/// Why no page can be opened for the person here; `None` where one can, or where the person is going to do it on this
/// machine's desktop.
pub(super) fn lacking_because(browser: &Browser, environment: &Environment) -> Option<String> {
    let is_there = |candidate: &Command| absolute(candidate.get_program().as_ref()).is_some();
    if *browser != Browser::Skip && candidates("", browser, environment).iter().any(is_there) {
        return None;
    }
    match browser {
        Browser::Skip => headless_because(environment),
        Browser::Command(program) => Some(format!("{} cannot be found", printable(program, 100))),
        Browser::Desktop => {
            headless_because(environment).or_else(|| Some("no program that opens pages can be found".to_owned()))
        }
    }
}

/// Whether somebody may see a page that is opened here, though no terminal is there.
pub(super) fn is_at_a_desktop(browser: &Browser, environment: &Environment) -> bool {
    match browser {
        Browser::Skip => false,
        Browser::Desktop if is_named_by_a_remote_editor(environment) => true,
        Browser::Desktop | Browser::Command(_) => headless_because(environment).is_none(),
    }
}

/// Whether an editor that works here and is shown elsewhere brings a `BROWSER` of its own, which opens pages there.
fn is_named_by_a_remote_editor(environment: &Environment) -> bool {
    environment.get_os(environment::VSCODE_IPC_HOOK_CLI).is_some() && environment.get(environment::BROWSER).is_some()
}

/// Opens `url`, which has been checked to be https (or on this machine), with the first program that can be started. One
/// that ends badly within `watch` has opened nothing.
pub(super) fn open(url: &Url, browser: &Browser, environment: &Environment, watch: Duration) -> Opened {
    let is_open = candidates(url.as_str(), browser, environment).iter().any(|candidate| started(candidate, watch));
    match browser {
        _ if is_open => Opened::Yes,
        Browser::Command(program) => Opened::Failed(program.clone()),
        Browser::Skip | Browser::Desktop => Opened::No,
    }
}

/// The commands that open `address`, the best first; they need not be there.
fn candidates(address: &str, browser: &Browser, environment: &Environment) -> Vec<Command> {
    match browser {
        Browser::Skip => Vec::new(),
        Browser::Command(program) => vec![with_address(Path::new(program), address)],
        Browser::Desktop => {
            let headless = headless_because(environment).is_some();
            let is_named = !headless || is_named_by_a_remote_editor(environment);
            let named = environment.get(environment::BROWSER).filter(|_| is_named);
            let named = named.map(named_browsers).unwrap_or_default();
            let mut candidates: Vec<Command> = named.iter().map(|program| with_address(program, address)).collect();
            if !headless {
                candidates.extend(open::commands(address));
            }
            candidates
        }
    }
}

fn with_address(program: &Path, address: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(address);
    command
}

/// The programs that `$BROWSER` lists, separated as in `PATH`. An entry that is not the name or the path of a program is
/// passed over: a command line with options or `%s`, which other programs would split into words.
fn named_browsers(list: &str) -> Vec<PathBuf> {
    let entries = std::env::split_paths(list).filter(|entry| !entry.as_os_str().is_empty());
    let program = |entry: PathBuf| {
        let found = absolute(&entry);
        if found.is_none() {
            tracing::debug!(entry = %printable(&entry.to_string_lossy(), 100), "in BROWSER, and not a program");
        }
        found
    };
    entries.filter_map(program).collect()
}

/// Starts `candidate`, in a session and with streams of its own, and leaves it alone, unless it ends badly within `watch`.
fn started(candidate: &Command, watch: Duration) -> bool {
    let Some(program) = absolute(candidate.get_program().as_ref()) else { return false };
    let mut command = Command::new(program);
    command.args(candidate.get_args());
    children::clean(&mut command);
    // Under Windows the address travels in a variable of the candidate's own.
    command.envs(candidate.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if candidate.get_envs().any(|(name, _)| name == WSLENV) {
        command.env(WSLENV, OPENER_ADDRESS);
    }
    #[cfg(unix)]
    command.current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match spawn_apart(command) {
        Ok(status) => !fails_within(watch, status),
        Err(error) => {
            tracing::debug!(%error, "browser not started");
            false
        }
    }
}

/// In a session of its own: Ctrl-C in the terminal is meant for us, and what is written to the terminal comes from us.
#[cfg(unix)]
fn spawn_apart(command: Command) -> io::Result<impl FnMut() -> io::Result<Option<ExitStatus>>> {
    let mut child = CommandWrap::from(command).wrap(ProcessSession).spawn()?;
    Ok(move || child.try_wait())
}

#[cfg(not(unix))]
fn spawn_apart(mut command: Command) -> io::Result<impl FnMut() -> io::Result<Option<ExitStatus>>> {
    let mut child = command.spawn()?;
    Ok(move || child.try_wait())
}

/// Whether a program comes to a bad end within `watch`.
fn fails_within(watch: Duration, mut status: impl FnMut() -> io::Result<Option<ExitStatus>>) -> bool {
    let started = Instant::now();
    while started.elapsed() < watch {
        if let Ok(Some(status)) = status() {
            return !status.success();
        }
        std::thread::sleep(LOOK);
    }
    false
}

/// Where `program` is: itself if it is an absolute path, else looked up once in `PATH`, so that what is run is what was
/// found. What a relative path leads to would depend on the folder that kubectl is started in.
fn absolute(program: &Path) -> Option<PathBuf> {
    if program.is_absolute() {
        return Some(program.to_owned()).filter(|path| path.is_file());
    }
    if program.components().count() > 1 {
        return None;
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(format!("{}{}", program.display(), std::env::consts::EXE_SUFFIX)))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[&str]) -> Environment {
        variables.iter().map(|name| (*name, "x")).collect()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_display_counts_unless_it_is_far_away() {
        let headless = |variables: &[&str]| headless_because(&environment(variables)).is_some();
        assert!(headless(&[]));
        assert!(!headless(&["DISPLAY"]));
        assert!(!headless(&["WAYLAND_DISPLAY"]));
        assert!(!headless(&["WSL_DISTRO_NAME"]));
        assert!(headless(&["DISPLAY", "SSH_CONNECTION"]));
        assert!(headless(&["DISPLAY", "SSH_TTY"]));
        assert!(headless(&["DISPLAY", "CI"]));
    }

    #[cfg(unix)]
    #[test]
    fn command_line_in_browser_is_passed_over() {
        let programs = named_browsers("/bin/sh -c x:/bin/sh %s:sh -c:/bin/sh: :bin/sh:../bin/sh:/nowhere/sh:sh%s");
        assert_eq!(programs, [Path::new("/bin/sh")]);
    }
}
