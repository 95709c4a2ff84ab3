//! What a child process is given of this process's environment.
//!
//! A kubeconfig's `exec.env` stands in that environment, and kubectl's plugin allowlist vouches for this program alone.
//! So no child gets a variable that a shell, an interpreter, a loader or an opener would take code from: a browser's
//! start script is a bash script as often as not, and bash runs what stands in `BASH_ENV`. Variables that choose among
//! installed programs stay (`PATH`, `XDG_*`): with a file of one's own on this disk, `BROWSER` could name it directly.

use std::ffi::OsStr;
use std::process::Command;

use crate::environment::{BROWSER, NOT_FOR_CHILDREN};

/// Variables whose value is run, or names what is run or loaded. `xdg-open` splits `BROWSER` into words.
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
    // It hands variables on to Windows, whose runtimes load what some of them name.
    "WSLENV",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
];
/// The same by their beginnings: functions for bash, loaders, Perl, Python, .NET.
const CODE_PREFIXES: &[&str] =
    &["BASH_FUNC_", "COMPLUS_", "COR_", "CORECLR_", "DOTNET_", "DYLD_", "LD_", "PERL", "PYTHON"];
/// Addresses of a message bus.
const BUSES: &[&str] = &["AT_SPI_BUS_ADDRESS", SESSION_BUS, "DBUS_STARTER_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS"];
/// The address of the session's bus, which the keyring is asked over.
pub const SESSION_BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// Takes from `command` what no child of this program is given: secrets, kubectl's request, and code. What has been set
/// for the command itself stays, where it is none of that.
pub fn clean(command: &mut Command) {
    for name in NOT_FOR_CHILDREN {
        command.env_remove(name);
    }
    for (name, value) in std::env::vars_os() {
        if holds_code(&name, &value) {
            command.env_remove(name);
        }
    }
}

/// Whether a bus at `address` can only be a socket of this machine. With other transports connecting to it may start a
/// program that the address names (`unixexec:`), or reach another machine (D-Bus Specification, "Server Addresses").
pub fn is_local_bus(address: &OsStr) -> bool {
    let is_local = |one: &str| one.trim_start().starts_with("unix:");
    address.to_str().is_some_and(|text| text.split(';').filter(|one| !one.is_empty()).all(is_local))
}

fn holds_code(name: &OsStr, value: &OsStr) -> bool {
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
        let found = |name: &str, value: &str| holds_code(name.as_ref(), value.as_ref());
        for name in ["BROWSER", "BASH_ENV", "BASH_FUNC_echo%%", "LD_PRELOAD", "PERL5OPT", "Path_NODE_OPTIONS"] {
            assert_eq!(found(name, "x"), name != "Path_NODE_OPTIONS", "{name}");
        }
        assert!(!found("PATH", "/usr/bin") && !found("XDG_CURRENT_DESKTOP", "KDE"));
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
