//! The part of this process's environment that child processes get.
//!
//! A kubeconfig's `exec.env` is part of that environment, and kubectl's plugin allowlist allows this program only. So no
//! child gets a variable from which a shell, an interpreter, a loader or an opener would take code: the start script of a
//! browser is often a bash script, and bash runs the file in `BASH_ENV`. `PATH` stays: an attacker with a program on this
//! disk could name it in `BROWSER` directly. The folders of desktop files are those of the parent process, whose environment
//! does not contain kubectl's merged `exec.env`: a desktop file contains a command line and need not be executable.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use crate::environment::{BROWSER, NOT_FOR_CHILDREN};

/// Variables whose value is run, or names a file that is run or loaded. `xdg-open` splits `BROWSER` into words.
const CODE: &[&str] = &[
    BROWSER,
    "BASH_ENV",
    "BASHOPTS",
    "ENV",
    "GCONV_PATH",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LESSCLOSE",
    "LESSOPEN",
    "MAILCAPS",
    "NODE_OPTIONS",
    "PAGER",
    "PS4",
    "RUBYLIB",
    "RUBYOPT",
    "SHELLOPTS",
    // It passes variables on to Windows, whose runtimes load files that some of them name.
    "WSLENV",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
];
/// Prefixes of such variables: functions for bash, loaders, Perl, Python, .NET.
const CODE_PREFIXES: &[&str] =
    &["BASH_FUNC_", "COMPLUS_", "COR_", "CORECLR_", "DOTNET_", "DYLD_", "LD_", "PERL", "PYTHON"];
/// Addresses of a message bus.
const BUSES: &[&str] = &["AT_SPI_BUS_ADDRESS", SESSION_BUS, "DBUS_STARTER_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS"];
/// Folders in which openers find desktop files and the user's choice among them, each with its default below `HOME` (XDG
/// base directories).
const DESKTOP_FOLDERS: &[(&str, Option<&str>)] = &[
    ("XDG_CONFIG_DIRS", None),
    ("XDG_CONFIG_HOME", Some(".config")),
    ("XDG_DATA_DIRS", None),
    ("XDG_DATA_HOME", Some(".local/share")),
];
/// The address of the session's bus, over which the keyring is reached.
pub const SESSION_BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// Removes from the environment of `command` what no child of this program gets: secrets, kubectl's request, and code.
/// Other variables that were set for the command itself stay.
pub fn clean_environment(command: &mut Command) {
    for name in NOT_FOR_CHILDREN {
        command.env_remove(name);
    }
    for (name, value) in std::env::vars_os() {
        if contains_code(&name, &value) {
            command.env_remove(name);
        }
    }
    if let Some(parent) = environment_of_parent() {
        use_desktop_folders(command, &parent);
    }
}

/// Sets the folders of desktop files to those of `parent`.
fn use_desktop_folders(command: &mut Command, parent: &HashMap<OsString, OsString>) {
    let value = |name: &str| parent.get(OsStr::new(name)).filter(|value| !value.is_empty());
    for (name, below_home) in DESKTOP_FOLDERS {
        let default = || Some(Path::new(value("HOME")?).join((*below_home)?).into_os_string());
        match value(name).cloned().or_else(default) {
            Some(folder) => command.env(name, folder),
            None => command.env_remove(name),
        };
    }
}

/// The environment of the parent process; `None` if the system does not tell.
#[cfg(target_os = "linux")]
fn environment_of_parent() -> Option<HashMap<OsString, OsString>> {
    use std::io::Read as _;
    use std::os::unix::ffi::OsStringExt as _;
    /// More than the kernel allows for one variable, and enough for a shell's environment.
    const CAP: u64 = 1024 * 1024;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(format!("/proc/{}/environ", std::os::unix::process::parent_id())).ok()?;
    file.take(CAP).read_to_end(&mut bytes).ok()?;
    let split = |pair: &[u8]| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((OsString::from_vec(pair[..at].to_vec()), OsString::from_vec(pair[at + 1..].to_vec())))
    };
    Some(bytes.split(|byte| *byte == 0).filter_map(split).collect())
}

#[cfg(not(target_os = "linux"))]
fn environment_of_parent() -> Option<HashMap<OsString, OsString>> {
    None
}

/// Whether a bus at `address` can only be a socket of this machine. With other transports, connecting may start a program
/// that the address names (`unixexec:`) or reach another machine (D-Bus Specification, "Server Addresses").
pub fn is_local_bus(address: &OsStr) -> bool {
    let is_local = |one: &str| one.trim_start().starts_with("unix:");
    address.to_str().is_some_and(|text| text.split(';').filter(|one| !one.is_empty()).all(is_local))
}

fn contains_code(name: &OsStr, value: &OsStr) -> bool {
    let name = name.to_string_lossy().to_uppercase();
    CODE.contains(&name.as_str())
        || CODE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || (BUSES.contains(&name.as_str()) && !is_local_bus(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_with_code_is_recognised() {
        let found = |name: &str, value: &str| contains_code(name.as_ref(), value.as_ref());
        for name in ["BROWSER", "BASH_ENV", "BASH_FUNC_echo%%", "LD_PRELOAD", "PERL5OPT", "Path_NODE_OPTIONS"] {
            assert_eq!(found(name, "x"), name != "Path_NODE_OPTIONS", "{name}");
        }
        assert!(!found("PATH", "/usr/bin") && !found("XDG_CURRENT_DESKTOP", "KDE"));
    }

    #[test]
    fn desktop_files_are_found_in_the_folders_of_the_parent() {
        let of = |parent: &[(&str, &str)]| {
            let mut command = Command::new("opener");
            let parent = parent.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
            use_desktop_folders(&mut command, &parent.collect());
            let mut folders: Vec<_> = command
                .get_envs()
                .map(|(name, value)| (name.to_owned(), value.map(|value| value.to_owned())))
                .collect();
            folders.sort();
            let values = folders.into_iter().map(|(_, value)| value.and_then(|value| value.into_string().ok()));
            values.collect::<Vec<Option<String>>>()
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            of(&[("HOME", "/home/alice"), ("XDG_DATA_DIRS", "/nix/share"), ("XDG_CONFIG_HOME", "")]),
            [None, text("/home/alice/.config"), text("/nix/share"), text("/home/alice/.local/share")]
        );
        assert_eq!(of(&[]), [None, None, None, None]);
    }

    #[test]
    fn bus_that_would_start_a_program_is_not_local() {
        for (address, is_local) in [
            ("unix:path=/run/user/1000/bus", true),
            ("unix:abstract=/tmp/dbus-x,guid=1;unix:path=/y", true),
            ("", true),
            ("unixexec:path=/bin/sh,argv1=-c", false),
            ("unix:path=/x;unixexec:path=/bin/sh", false),
            ("tcp:host=evil.example,port=1", false),
            ("autolaunch:", false),
        ] {
            assert_eq!(is_local_bus(address.as_ref()), is_local, "{address}");
        }
    }
}
