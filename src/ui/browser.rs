//! Opening a page: started by absolute path, without our secrets, kept off our streams and our terminal, and never waited
//! for.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use kubectl_login::environment::{self, Environment};
use kubectl_login::profile::Browser;
use kubectl_login::text::printable;
#[cfg(unix)]
use process_wrap::std::{CommandWrap, ProcessSession};
use url::Url;

/// Between two looks at a program that is watched.
const LOOK: Duration = Duration::from_millis(20);

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
        Browser::Command(program) => {
            let mut command = Command::new(program);
            command.arg(address);
            vec![command]
        }
        Browser::Desktop => {
            let headless = headless_because(environment).is_some();
            let is_named = !headless || is_named_by_a_remote_editor(environment);
            let named = environment.get(environment::BROWSER).filter(|_| is_named);
            let mut candidates = named.map(|list| named_browsers(list, address)).unwrap_or_default();
            if !headless {
                candidates.extend(open::commands(address));
            }
            candidates
        }
    }
}

/// The programs that `$BROWSER` lists: separated by colons, each with `%s` for the address or the address behind it.
fn named_browsers(list: &str, address: &str) -> Vec<Command> {
    let entries = list.split(':').filter(|entry| !entry.trim().is_empty());
    let command = |entry: &str| {
        // The path of a program may have blanks in it; a command line may have arguments.
        let mut words: Vec<&str> =
            if Path::new(entry).is_file() { vec![entry] } else { entry.split_whitespace().collect() };
        let mut command = Command::new(words.remove(0));
        command.args(words.iter().map(|word| word.replace("%s", address)));
        if !words.iter().any(|word| word.contains("%s")) {
            command.arg(address);
        }
        command
    };
    entries.map(command).collect()
}

/// Starts `candidate`, in a session and with streams of its own, and leaves it alone, unless it ends badly within `watch`.
fn started(candidate: &Command, watch: Duration) -> bool {
    let Some(program) = absolute(candidate.get_program().as_ref()) else { return false };
    let mut command = Command::new(program);
    command.args(candidate.get_args());
    // Under Windows the address travels in a variable of the candidate's own.
    command.envs(candidate.get_envs().filter_map(|(name, value)| Some((name, value?))));
    for name in environment::NOT_FOR_CHILDREN {
        command.env_remove(name);
    }
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

/// Where `program` is: itself if it is a path, else looked up once in `PATH`, so that what is run is what was found.
fn absolute(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return std::path::absolute(program).ok().filter(|path| path.is_file());
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

    #[test]
    fn browser_lists_commands_with_or_without_a_place_for_the_address() {
        let lines: Vec<String> = named_browsers("firefox:w3m -x %s y: :lynx --arg", "https://a/b?c=d&e")
            .iter()
            .map(|command| {
                let words = std::iter::once(command.get_program()).chain(command.get_args());
                words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
            })
            .collect();
        assert_eq!(lines, ["firefox https://a/b?c=d&e", "w3m -x https://a/b?c=d&e y", "lynx --arg https://a/b?c=d&e"]);
    }
}
