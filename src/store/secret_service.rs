//! Reads one item of the Secret Service (Secret Service API 0.2) on the calling thread, and never unlocks anything.
//!
//! Every warm call does this, so it is a small client of its own. The keyring crate unlocks what it looks up, which raises a
//! dialog; its library starts threads and waits more often. The session is a plain one: the bus is a local socket of this
//! user, and a key agreement would cost more than the rest.
//!
//! The order of the requests matters. gnome-keyring (42 to 50 at least, its work item 196) can miss who sends the first
//! message of a connection, which happens once in a thousand calls if many programs call. OpenSession then ends the daemon,
//! and with it the unlocked keyring; SearchItems is only answered with an error, and works when it is repeated. So a look-up
//! begins with SearchItems, and nothing follows before its reply.
//!
//! It must not know what the item is for.

mod address;
mod connection;
mod message;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::geteuid;
use zeroize::Zeroizing;
use zvariant::{ObjectPath, OwnedObjectPath, Value};

use self::connection::BusConnection;
use self::message::{Message, RemoteObject};
use super::error::KeyError;
use super::key_backends::no_keyring;
use kubectl_login_core::text::hex;

/// The message bus itself.
const BUS: RemoteObject<'static> = RemoteObject {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
};
/// The Secret Service, which the bus starts if it does not run.
const SERVICE: RemoteObject<'static> = RemoteObject {
    destination: "org.freedesktop.secrets",
    path: "/org/freedesktop/secrets",
    interface: "org.freedesktop.Secret.Service",
};
/// The serial numbers of the requests, by which their replies are recognised.
const HELLO: u32 = 1;
const SEARCH_ITEMS: u32 = 2;
const OPEN_SESSION: u32 = 3;
const GET_SECRET: u32 = 4;
/// The error of a service whose item has been locked after it was found.
const IS_LOCKED: &str = "org.freedesktop.Secret.Error.IsLocked";
/// The error of gnome-keyring for a client that it has missed, and how often the search is sent then.
const UNKNOWN_METHOD: &str = "org.freedesktop.DBus.Error.UnknownMethod";
const SEARCHES: usize = 3;
/// Set inside of Flatpak, where the bus is a proxy.
const FLATPAK_ID: &str = "FLATPAK_ID";

/// Why a look-up failed.
#[derive(Debug, thiserror::Error)]
enum LookupError {
    #[error("the address of the session bus names no socket")]
    NoAddress,
    #[error(transparent)]
    Io(#[from] Errno),
    #[error("the session bus does not answer in time")]
    TimedOut,
    #[error("the session bus closed the connection")]
    Closed,
    #[error("the session bus sends more than a reply can be")]
    TooLong,
    #[error("the session bus does not accept this user")]
    NotAuthenticated,
    #[error("the session bus is another one than its address says")]
    OtherBus,
    /// Without the library's reason, which may quote the message.
    #[error("the session bus sends malformed messages")]
    Malformed,
    #[error("the item is locked")]
    Locked,
    /// A request was answered with an error.
    #[error("{name}: {text}")]
    Remote { name: String, text: String },
}

impl From<zvariant::Error> for LookupError {
    fn from(_: zvariant::Error) -> LookupError {
        LookupError::Malformed
    }
}

impl From<LookupError> for KeyError {
    fn from(error: LookupError) -> KeyError {
        match error {
            LookupError::TimedOut => KeyError::Frozen,
            LookupError::Locked => KeyError::Locked,
            LookupError::Remote { name, .. } if name == IS_LOCKED => KeyError::Locked,
            error => no_keyring(error),
        }
    }
}

/// How the connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handshake {
    /// The requests follow at once. Message buses allow that.
    Pipelined,
    /// The requests wait until the bus has accepted the user: xdg-dbus-proxy closes a connection on which `BEGIN` precedes
    /// the bus's reply to `AUTH`.
    Stepwise,
}

/// The text of the item that the keyring crate stores for `service` and `item`; `None` if there is none.
///
/// Errors: no Secret Service, the item is locked, or there was no reply within `limit`.
pub(super) fn read(service: &str, item: &str, limit: Duration) -> Result<Option<Zeroizing<String>>, KeyError> {
    let inside_flatpak = std::env::var_os(FLATPAK_ID).is_some();
    let handshake = if inside_flatpak { Handshake::Stepwise } else { Handshake::Pipelined };
    let bus = BusConnection::open(&address::of_session_bus(), Instant::now() + limit);
    Ok(bus.and_then(|bus| look_up(bus, handshake, service, item))?)
}

fn look_up(
    mut bus: BusConnection,
    handshake: Handshake,
    service: &str,
    item: &str,
) -> Result<Option<Zeroizing<String>>, LookupError> {
    let attributes = BTreeMap::from([("service", service), ("username", item)]);
    let hello = BUS.call(HELLO, "Hello").encode(&())?;
    let search = SERVICE.call(SEARCH_ITEMS, "SearchItems").encode(&attributes)?;
    begin(&mut bus, handshake, &[hello, search.clone()].concat())?;
    let (unlocked, locked) = find(&mut bus, &search)?;
    let Some(item) = unlocked.first() else {
        return if locked.is_empty() { Ok(None) } else { Err(LookupError::Locked) };
    };

    bus.send(&SERVICE.call(OPEN_SESSION, "OpenSession").encode(&("plain", Value::from("")))?)?;
    let session = reply(&mut bus, OPEN_SESSION, |message| Ok(message.body::<(Value, OwnedObjectPath)>()?.1))?;

    let item = RemoteObject { path: item.as_str(), interface: "org.freedesktop.Secret.Item", ..SERVICE };
    bus.send(&item.call(GET_SECRET, "GetSecret").encode(&session)?)?;
    reply(&mut bus, GET_SECRET, |message| {
        let (_, _, secret, _) = message.body::<(ObjectPath, &[u8], &[u8], &str)>()?;
        Ok(std::str::from_utf8(secret).ok().map(|text| Zeroizing::new(text.to_owned())))
    })
}

/// Waits for the items that `search` finds, which has been sent once: the unlocked and the locked ones.
fn find(bus: &mut BusConnection, search: &[u8]) -> Result<(Vec<OwnedObjectPath>, Vec<OwnedObjectPath>), LookupError> {
    for _ in 1..SEARCHES {
        match reply(bus, SEARCH_ITEMS, |message| message.body()) {
            Err(LookupError::Remote { name, .. }) if name == UNKNOWN_METHOD => bus.send(search)?,
            outcome => return outcome,
        }
    }
    reply(bus, SEARCH_ITEMS, |message| message.body())
}

/// Waits for the reply to the request `serial` and reads it. Signals and other messages are skipped.
///
/// Errors: a request was answered with an error.
fn reply<T>(
    bus: &mut BusConnection,
    serial: u32,
    read: impl FnOnce(&Message<'_>) -> Result<T, LookupError>,
) -> Result<T, LookupError> {
    loop {
        let message = bus.message()?;
        if message.reply_to()? == Some(serial) {
            return read(&message);
        }
    }
}

/// Authenticates as this user and sends the first requests (D-Bus Specification, "Authentication Protocol").
fn begin(bus: &mut BusConnection, handshake: Handshake, requests: &[u8]) -> Result<(), LookupError> {
    let user = hex(geteuid().as_raw().to_string().as_bytes());
    let auth = format!("\0AUTH EXTERNAL {user}\r\n").into_bytes();
    let rest = [b"BEGIN\r\n", requests].concat();
    match handshake {
        Handshake::Pipelined => {
            bus.send(&[auth, rest].concat())?;
            bus.expect_ok()
        }
        Handshake::Stepwise => {
            bus.send(&auth)?;
            bus.expect_ok()?;
            bus.send(&rest)
        }
    }
}
