//! Where the session bus listens: server addresses of the D-Bus Specification, as far as they name sockets of this machine.

use std::ffi::OsString;
use std::path::PathBuf;

use rustix::net::SocketAddrUnix;
use rustix::process::geteuid;

use crate::children::SESSION_BUS;
use crate::environment::XDG_RUNTIME_DIR;

/// A socket at which the session bus may listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BusAddress {
    pub(super) socket: SocketAddrUnix,
    /// The id that the bus must have, if the address names one.
    pub(super) guid: Option<String>,
}

/// Where this user's session bus may be, the likeliest first. Empty if the environment names an address that cannot be used.
pub(super) fn of_session_bus() -> Vec<BusAddress> {
    match std::env::var(SESSION_BUS) {
        Ok(addresses) => parse(&addresses),
        Err(_) => at_default(std::env::var_os(XDG_RUNTIME_DIR)).into_iter().collect(),
    }
}

/// The bus in the user's runtime folder, as systemd sets it up.
fn at_default(runtime_folder: Option<OsString>) -> Option<BusAddress> {
    let folder = runtime_folder.filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", geteuid().as_raw())));
    Some(BusAddress { socket: SocketAddrUnix::new(folder.join("bus")).ok()?, guid: None })
}

/// The addresses in a list, without those that cannot be used.
fn parse(addresses: &str) -> Vec<BusAddress> {
    addresses.split(';').filter_map(parse_one).collect()
}

fn parse_one(address: &str) -> Option<BusAddress> {
    let (mut path, mut name, mut guid) = (None, None, None);
    for pair in address.strip_prefix("unix:")?.split(',') {
        let (key, value) = pair.split_once('=')?;
        let value = Some(value).filter(|value| !value.is_empty())?;
        match key {
            "path" => path = Some(unescape(value)?),
            "abstract" => name = Some(unescape(value)?),
            "guid" => guid = Some(value.to_owned()),
            _ => {}
        }
    }
    let socket = match (path, name) {
        (Some(path), None) => SocketAddrUnix::new(path).ok()?,
        (None, Some(name)) => SocketAddrUnix::new_abstract_name(&name).ok()?,
        _ => return None,
    };
    Some(BusAddress { socket, guid })
}

/// Decodes `%2f`. Characters that should have been escaped are taken as they are.
fn unescape(value: &str) -> Option<Vec<u8>> {
    let (mut rest, mut decoded) = (value.as_bytes(), Vec::with_capacity(value.len()));
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            decoded.push(u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?);
            rest = after;
        } else {
            decoded.push(byte);
            rest = after;
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_path(path: &str, guid: Option<&str>) -> BusAddress {
        BusAddress { socket: SocketAddrUnix::new(path).expect("an address"), guid: guid.map(str::to_owned) }
    }

    fn with_name(name: &str, guid: Option<&str>) -> BusAddress {
        let socket = SocketAddrUnix::new_abstract_name(name.as_bytes()).expect("an address");
        BusAddress { socket, guid: guid.map(str::to_owned) }
    }

    #[test]
    fn addresses_are_parsed_in_their_order() {
        for (text, addresses) in [
            ("unix:path=/run/user/1000/bus", vec![at_path("/run/user/1000/bus", None)]),
            ("unix:abstract=/tmp/dbus-x,guid=0123ab", vec![with_name("/tmp/dbus-x", Some("0123ab"))]),
            ("unix:guid=0123ab,path=/a%20b%2Fc", vec![at_path("/a b/c", Some("0123ab"))]),
            ("unix:path=/a;unix:abstract=b;", vec![at_path("/a", None), with_name("b", None)]),
            // Only the later one can be connected to.
            ("unix:tmpdir=/tmp;unix:path=/a", vec![at_path("/a", None)]),
            // Neither a space nor a key of a later specification is a reason to give up.
            ("unix:path=/with space,later=x", vec![at_path("/with space", None)]),
        ] {
            assert_eq!(parse(text), addresses, "{text}");
        }
    }

    #[test]
    fn malformed_address_is_skipped() {
        let long = format!("unix:path=/{}", "x".repeat(200));
        for text in [
            "",
            ";",
            "unix:",
            "unix:path",
            "unix:path=",
            "unix:abstract=",
            "unix:path=/a,abstract=b",
            "unix:path=/a%2",
            "unix:path=/a%zz",
            "unix:path=/a%00b",
            "unix:guid=0123ab",
            " unix:path=/a",
            "tcp:host=127.0.0.1,port=1",
            "unixexec:path=/bin/sh",
            &long,
        ] {
            assert_eq!(parse(text), [], "{text}");
        }
    }

    #[test]
    fn without_an_address_the_bus_is_in_the_runtime_folder() {
        let default = format!("/run/user/{}/bus", geteuid().as_raw());
        for (folder, path) in [(None, default.as_str()), (Some(""), &default), (Some("/run/x"), "/run/x/bus")] {
            assert_eq!(at_default(folder.map(OsString::from)), Some(at_path(path, None)));
        }
    }
}
