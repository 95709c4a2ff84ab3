//! The folders that this program uses.

use std::path::{Path, PathBuf};

use crate::environment::{self, Environment};

/// The name of this program in the platform's folders.
const NAME: &str = "kubectl-login";
/// The folder for state in a home folder.
const STATE_IN_HOME: &str = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/state" };

/// The home folder: `HOME` if it is absolute, else the one in the user database.
pub fn home(environment: &Environment) -> Option<PathBuf> {
    environment
        .get_os(environment::HOME)
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
        .or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()))
}

/// The platform's state folder of this program: `$XDG_STATE_HOME/kubectl-login`, `~/.local/state/kubectl-login`,
/// `~/Library/Application Support/kubectl-login`, `%LOCALAPPDATA%\kubectl-login\data`. Under sudo with another user's
/// home, root's own: see [`for_this_user`].
pub fn default_state(environment: &Environment) -> Option<PathBuf> {
    platform_state(environment).map(|folder| for_this_user(folder, environment))
}

fn platform_state(environment: &Environment) -> Option<PathBuf> {
    if let Some(folder) = environment.get_os(environment::XDG_STATE_HOME).map(PathBuf::from)
        && folder.is_absolute()
    {
        return Some(folder.join(NAME));
    }
    if cfg!(target_os = "linux") {
        return home(environment).map(|home| home.join(STATE_IN_HOME).join(NAME));
    }
    let dirs = directories::ProjectDirs::from("", "", NAME)?;
    Some(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned())
}

/// The state folder: `asked` (the flag), else `$KUBECACHEDIR/kubectl-login`, else [`default_state`].
pub fn state(asked: Option<&str>, environment: &Environment) -> Option<PathBuf> {
    if let Some(asked) = asked.filter(|path| !path.is_empty()) {
        return Some(expand_home(asked, environment));
    }
    if let Some(cache) = environment.get_os(environment::KUBECACHEDIR) {
        return Some(for_this_user(Path::new(cache).join(NAME), environment));
    }
    default_state(environment)
}

/// `folder`, unless this process runs as root and files of root there would be in another user's way, as under `sudo` with
/// that user's `HOME` or kubeconfig. Then it is root's own state folder.
pub fn for_this_user(folder: PathBuf, environment: &Environment) -> PathBuf {
    // Every call does this, and looking at folders takes time.
    if !is_root() {
        return folder;
    }
    // Outside of `sudo` a folder that exists is the one that was meant; if another user owns it, that is an error later.
    let is_meant = folder.exists() && home_of_another_user(environment).is_none();
    if is_meant || !is_for_another_user(&folder) {
        return folder;
    }
    let own = root_home().map(|home| home.join(STATE_IN_HOME).join(NAME));
    own.filter(|own| !is_for_another_user(own)).unwrap_or(folder)
}

/// The home folder that the environment names, if this process runs as root and the home is another user's.
pub fn home_of_another_user(environment: &Environment) -> Option<PathBuf> {
    home(environment).filter(|home| is_for_another_user(home))
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// Whether files that root creates in `folder` would be in another user's way: another user owns the folder. If it does not
/// exist, any folder above it counts, since `sudo` may have left one of root's in between.
#[cfg(unix)]
fn is_for_another_user(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    if !is_root() {
        return false;
    }
    let is_another_users = |place: &Path| std::fs::metadata(place).is_ok_and(|found| found.uid() != 0);
    if folder.exists() { is_another_users(folder) } else { folder.ancestors().any(is_another_users) }
}

#[cfg(not(unix))]
fn is_for_another_user(_: &Path) -> bool {
    false
}

/// Root's home folder in the user database, independent of `HOME`.
#[cfg(unix)]
fn root_home() -> Option<PathBuf> {
    nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(0)).ok().flatten().map(|root| root.dir)
}

#[cfg(not(unix))]
fn root_home() -> Option<PathBuf> {
    None
}

/// The folder for locks if the state folder cannot be used: `$XDG_RUNTIME_DIR/kubectl-login`, else one in the temporary
/// folder, with the user's id in its name.
pub fn runtime(environment: &Environment) -> PathBuf {
    let named = environment.get_os(environment::XDG_RUNTIME_DIR).map(|folder| Path::new(folder).join(NAME));
    named
        .filter(|folder| !is_for_another_user(folder))
        .unwrap_or_else(|| std::env::temp_dir().join(format!("{NAME}-{}", user_id())))
}

/// `path` with a leading `~` or `~/` replaced by the home folder. (`~bob` stays as it is.)
pub fn expand_home(path: &str, environment: &Environment) -> PathBuf {
    match (path.strip_prefix('~'), home(environment)) {
        (Some(""), Some(home)) => home,
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
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
    fn flag_wins_over_kubecachedir_and_that_over_the_platform_folder() {
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
