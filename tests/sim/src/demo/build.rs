//! Finds programs: the plugin, which cargo builds beside this one, and others on the `PATH`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the plugin with the profile and target directory of this program. Without cargo, an existing plugin is used.
pub(crate) fn plugin() -> Result<PathBuf, String> {
    let this = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let folder = this.parent().ok_or("this program has no parent folder")?;
    let plugin = folder.join(format!("kubectl-login{}", env::consts::EXE_SUFFIX));
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "-p", "kubectl-login", "--manifest-path"]);
    build.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"));
    if let Some(target) = folder.parent() {
        build.arg("--target-dir").arg(target);
    }
    if folder.file_name().is_some_and(|name| name == "release") {
        build.arg("--release");
    }
    match build.status() {
        Ok(status) if status.success() => Ok(plugin),
        Ok(_) => Err("`cargo build -p kubectl-login` failed".to_owned()),
        Err(_) if plugin.exists() => Ok(plugin),
        Err(error) => Err(format!("cannot run cargo, and {} does not exist: {error}", plugin.display())),
    }
}

/// The first file of that name in the directories of `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|path| path.is_file())
}
