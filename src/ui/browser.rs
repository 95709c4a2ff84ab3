//! Opens a page in a browser: started by absolute path, without our secrets, with no access to our streams and terminal,
//! and never waited for.
//!
//! A browser is one program that gets the address as its only argument: no shell, no other arguments. `BROWSER` may be set
//! in a kubeconfig's `exec.env`, and a kubectl allowlist that names this plugin must not let that file run a command line.
//! For the same reason a browser starts in the root folder: a program that saves what it downloads (`wget`) would otherwise
//! write into the folder that kubectl was started in.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use kubectl_login::children;
use kubectl_login::environment::{self, Environment};
use kubectl_login::failure::NoBrowser;
use kubectl_login::profile::Browser;
use kubectl_login_core::text::printable;
#[cfg(unix)]
use process_wrap::std::{CommandWrap, ProcessSession};
use url::Url;

/// The interval between two checks of a program that was started.
const LOOK: Duration = Duration::from_millis(20);
/// The list of variables that WSL passes on to Windows, and the one that contains the address for the opener.
const WSLENV: &str = "WSLENV";
const OPENER_ADDRESS: &str = "OPEN_RS_TARGET";

/// The result of opening a page. Whether the page is displayed is not known; the terminal shows the address in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// A program was started.
    Yes,
    /// None was found, or it would not help here.
    No,
    /// The program that the user named cannot be started.
    Failed(String),
}

/// Why the user would not see a page that is opened here: over SSH (a forwarded display is remote too), in a pipeline, or
/// without a display, as in most containers. Under WSL, Windows has the display.
pub(super) fn headless_because(environment: &Environment) -> Option<NoBrowser> {
    let set = |name: &str| environment.get_os(name).is_some();
    let remote = [environment::SSH_CONNECTION, environment::SSH_TTY].into_iter().find(|name| set(name));
    if let Some(variable) = environment.ci().or(remote) {
        return Some(NoBrowser::Variable(variable.to_owned()));
    }
    let displays = [environment::DISPLAY, environment::WAYLAND_DISPLAY, environment::WSL_DISTRO_NAME];
    let has_display = cfg!(any(target_os = "macos", windows)) || displays.into_iter().any(set);
    (!has_display).then_some(NoBrowser::NoDisplay)
}

/// Why no page can be opened here; `None` if one can, or if the user is going to do it on this machine's desktop.
pub(super) fn lacking_because(browser: &Browser, environment: &Environment) -> Option<NoBrowser> {
    let is_there = |candidate: &Command| absolute(candidate.get_program().as_ref()).is_some();
    if *browser != Browser::Skip && candidates("", browser, environment).iter().any(is_there) {
        return None;
    }
    match browser {
        Browser::Skip => headless_because(environment),
        Browser::Command(program) => Some(NoBrowser::ProgramNotFound(printable(program, 100))),
        Browser::Desktop => headless_because(environment).or(Some(NoBrowser::NoProgram)),
    }
}

/// Whether a user may see a page that is opened here, even without a terminal.
pub(super) fn is_at_a_desktop(browser: &Browser, environment: &Environment) -> bool {
    match browser {
        Browser::Skip => false,
        Browser::Desktop if is_named_by_a_remote_editor(environment) => true,
        Browser::Desktop | Browser::Command(_) => headless_because(environment).is_none(),
    }
}

/// Whether an editor that runs here and is displayed on another machine sets a `BROWSER` that opens pages there.
fn is_named_by_a_remote_editor(environment: &Environment) -> bool {
    environment.get_os(environment::VSCODE_IPC_HOOK_CLI).is_some() && environment.get(environment::BROWSER).is_some()
}

/// Opens `url`, which has been checked to be https (or on this machine), with the first program that can be started. A
/// program that fails within `watch` has opened nothing.
pub(super) fn open(url: &Url, browser: &Browser, environment: &Environment, watch: Duration) -> Opened {
    let is_open = candidates(url.as_str(), browser, environment).iter().any(|candidate| started(candidate, watch));
    match browser {
        _ if is_open => Opened::Yes,
        Browser::Command(program) => Opened::Failed(program.clone()),
        Browser::Skip | Browser::Desktop => Opened::No,
    }
}

/// The commands that open `address`, the best first; they may not exist.
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

/// The programs that `$BROWSER` lists, separated as in `PATH`. An entry that is not the name or path of a program is
/// skipped: a command line with options or `%s`, which other programs would split into words.
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

/// Starts `candidate` in its own session with its own streams, and returns whether it runs or has not failed within
/// `watch`.
fn started(candidate: &Command, watch: Duration) -> bool {
    let Some(program) = absolute(candidate.get_program().as_ref()) else { return false };
    let mut command = Command::new(program);
    command.args(candidate.get_args());
    children::clean_environment(&mut command);
    // On Windows the address is in a variable that belongs to the candidate.
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

/// In its own session: Ctrl-C in the terminal is meant for this process, and only this process writes to the terminal.
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

/// Whether a program fails within `watch`.
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

/// The path of `program`: itself if it is absolute, else looked up once in `PATH`, so that the file that was found is the
/// one that is run. A relative path would depend on the folder that kubectl is started in.
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
    fn display_counts_unless_it_is_remote() {
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
    fn command_line_in_browser_variable_is_skipped() {
        let programs = named_browsers("/bin/sh -c x:/bin/sh %s:sh -c:/bin/sh: :bin/sh:../bin/sh:/nowhere/sh:sh%s");
        assert_eq!(programs, [Path::new("/bin/sh")]);
    }
}
