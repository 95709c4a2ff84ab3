//! Where things are kept.

use std::io;
use std::path::{Path, PathBuf};

use crate::environment::{self, Environment};

/// The name of this program in the platform's folders.
const NAME: &str = "kubectl-login";
/// The most that is read of a file which settings name.
const NAMED_FILE_CAP: u64 = 16 * 1024 * 1024;

/// The home folder: `HOME` (an absolute one), else what the user database says.
pub fn home(environment: &Environment) -> Option<PathBuf> {
    environment
        .get_os(environment::HOME)
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
        .or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()))
}

/// The platform's state folder of this program: `$XDG_STATE_HOME/kubectl-login`, `~/.local/state/kubectl-login`,
/// `~/Library/Application Support/kubectl-login`, `%LOCALAPPDATA%\kubectl-login\data`.
pub fn default_state(environment: &Environment) -> Option<PathBuf> {
    if let Some(folder) = environment.get_os(environment::XDG_STATE_HOME).map(PathBuf::from)
        && folder.is_absolute()
    {
        return Some(folder.join(NAME));
    }
    if cfg!(target_os = "linux") {
        return home(environment).map(|home| home.join(".local/state").join(NAME));
    }
    let dirs = directories::ProjectDirs::from("", "", NAME)?;
    Some(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned())
}

/// The state folder: the one asked for by flag, else `$KUBECACHEDIR/kubectl-login`, else [`default_state`].
pub fn state(asked: Option<&str>, environment: &Environment) -> Option<PathBuf> {
    if let Some(asked) = asked.filter(|path| !path.is_empty()) {
        return Some(expand_home(asked, environment));
    }
    if let Some(cache) = environment.get_os(environment::KUBECACHEDIR) {
        return Some(Path::new(cache).join(NAME));
    }
    default_state(environment)
}

/// The folder for locks where the state folder is of no use: `$XDG_RUNTIME_DIR/kubectl-login`, else one below the
/// temporary folder that carries the user's id.
pub fn runtime(environment: &Environment) -> PathBuf {
    match environment.get_os(environment::XDG_RUNTIME_DIR) {
        Some(folder) => Path::new(folder).join(NAME),
        None => std::env::temp_dir().join(format!("{NAME}-{}", user_id())),
    }
}

/// `path` with a leading `~` or `~/` replaced by the home folder. (`~bob` is left as it is.)
pub fn expand_home(path: &str, environment: &Environment) -> PathBuf {
    match (path.strip_prefix('~'), home(environment)) {
        (Some(""), Some(home)) => home,
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
}

/// The content of a file that somebody's settings name: a regular one of 16 MiB at most. A pipe under that name must not
/// hold up whoever only looks.
///
/// Errors: it is something else, or cannot be read.
pub fn read_named(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > NAMED_FILE_CAP {
        return Err(io::Error::other("it is no file, or larger than 16 MiB"));
    }
    std::fs::read(path)
}

#[cfg(unix)]
fn user_id() -> String {
    rustix::process::geteuid().as_raw().to_string()
}

#[cfg(not(unix))]
fn user_id() -> String {
    "user".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::from_iter(variables.iter().copied())
    }

    #[test]
    fn the_flag_wins_then_kubecachedir_then_the_platform() {
        let both = environment(&[("HOME", "/h"), ("KUBECACHEDIR", "/k"), ("XDG_STATE_HOME", "/x")]);
        assert_eq!(state(Some("~/c"), &both), Some("/h/c".into()));
        assert_eq!(state(None, &both), Some("/k/kubectl-login".into()));
        assert_eq!(state(None, &environment(&[("XDG_STATE_HOME", "/x")])), Some("/x/kubectl-login".into()));
    }

    #[test]
    fn only_a_leading_tilde_is_expanded() {
        let environment = environment(&[("HOME", "/h")]);
        assert_eq!(expand_home("~", &environment), Path::new("/h"));
        assert_eq!(expand_home("~bob/x", &environment), Path::new("~bob/x"));
        assert_eq!(expand_home("a~b", &environment), Path::new("a~b"));
    }
}
