//! Opening a page: started by absolute path, without our secrets, its streams kept off ours, and never waited for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kubectl_login::environment::{self, Environment};
use kubectl_login::profile::Browser;
use url::Url;

/// Whether somebody may sit in front of a desktop here.
pub(super) fn has_desktop(environment: &Environment) -> bool {
    if environment.get_os(environment::SSH_CONNECTION).is_some() || environment.ci().is_some() {
        return false;
    }
    cfg!(any(target_os = "macos", windows))
        || [environment::DISPLAY, environment::WAYLAND_DISPLAY].iter().any(|name| environment.get_os(name).is_some())
}

/// Opens `url`, which has been checked to be https (or on this machine); tells whether a program was started. Whether it
/// shows the page is not known: the address is on the terminal all the same, where there is one.
pub(super) fn open(url: &Url, browser: &Browser, environment: &Environment) -> bool {
    let candidates = match browser {
        Browser::Skip => return false,
        Browser::Command(program) => {
            let mut command = Command::new(program);
            command.arg(url.as_str());
            vec![command]
        }
        Browser::Desktop if !has_desktop(environment) => return false,
        Browser::Desktop => open::commands(url.as_str()),
    };
    for candidate in candidates {
        let Some(program) = absolute(candidate.get_program().as_ref()) else { continue };
        let mut command = Command::new(program);
        command.args(candidate.get_args());
        // On Windows the address travels in a variable of the candidate's own.
        command.envs(candidate.get_envs().filter_map(|(name, value)| Some((name, value?))));
        for name in environment::NOT_FOR_CHILDREN {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: Ctrl-C in the terminal is meant for us, not for the browser.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        match command.spawn() {
            Ok(_) => return true,
            Err(error) => tracing::debug!(%error, "browser not started"),
        }
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
