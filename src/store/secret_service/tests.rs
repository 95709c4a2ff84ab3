//! The look-up against buses that are not real ones: honest, unusual and hostile.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rustix::net::SocketAddrUnix;
use zvariant::serialized::Context;
use zvariant::{BE, Endian, LE, Type, to_bytes};

use super::address::BusAddress;
use super::message::FieldValue;
use super::*;

type Outcome = Result<Option<Zeroizing<String>>, LookupError>;

/// Far longer than any of these look-ups takes.
const LIMIT: Duration = Duration::from_secs(20);
/// For buses that do not answer.
const SHORT: Duration = Duration::from_millis(200);
const GUID: &str = "0123456789abcdef0123456789abcdef";
const ITEM: &str = "/org/freedesktop/secrets/collection/login/1";
const SESSION: &str = "/org/freedesktop/secrets/session/s1";
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

fn path(text: &str) -> ObjectPath<'_> {
    text.try_into().expect("a path")
}

/// A message from the bus. `error` is the name of the error that it is.
fn message_in<B: serde::Serialize + Type>(endian: Endian, kind: u8, reply_to: u32, error: &str, body: &B) -> Vec<u8> {
    let context = Context::new_dbus(endian, 0);
    let body_bytes = to_bytes(context, body).expect("a body").to_vec();
    let mut fields = vec![(5_u8, FieldValue::Other(reply_to.into())), (7, FieldValue::Other(":1.7".into()))];
    if !error.is_empty() {
        fields.push((4, FieldValue::Other(error.into())));
    }
    let types = B::SIGNATURE.to_string_no_parens();
    if !types.is_empty() {
        fields.push((8, FieldValue::Signature(types)));
    }
    let flag = if endian == LE { b'l' } else { b'B' };
    let header = (flag, kind, 1_u8, 1_u8, u32::try_from(body_bytes.len()).expect("a length"), 99_u32, fields);
    let mut bytes = to_bytes(context, &header).expect("a header").to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(body_bytes);
    bytes
}

fn reply_to<B: serde::Serialize + Type>(reply_to: u32, body: &B) -> Vec<u8> {
    message_in(LE, METHOD_RETURN, reply_to, "", body)
}

fn accepted() -> Vec<u8> {
    format!("OK {GUID}\r\n").into_bytes()
}

fn opened() -> Vec<u8> {
    reply_to(OPEN_SESSION, &(Value::from(""), path(SESSION)))
}

fn found(unlocked: &[&str], locked: &[&str]) -> Vec<u8> {
    let paths = |list: &[&str]| list.iter().map(|text| OwnedObjectPath::from(path(text))).collect::<Vec<_>>();
    reply_to(SEARCH_ITEMS, &(paths(unlocked), paths(locked)))
}

fn secret(bytes: &[u8]) -> Vec<u8> {
    reply_to(GET_SECRET, &((path(SESSION), &b""[..], bytes, "text/plain"),))
}

/// All that a bus sends in a look-up that succeeds.
fn whole() -> Vec<Vec<u8>> {
    let signal = message_in(LE, SIGNAL, 0, "", &":1.7");
    vec![accepted(), reply_to(HELLO, &":1.7"), signal, found(&[ITEM], &[]), opened(), secret(b"the key")]
}

/// A look-up on a bus that sends `bytes` without waiting for anything, and then nothing more.
fn look_up_in(bytes: &[u8]) -> Outcome {
    let (ours, bus) = UnixStream::pair().expect("sockets");
    let sent = bytes.to_vec();
    let bus = thread::spawn(move || {
        // A client that has seen enough closes the connection.
        let _ = (&bus).write_all(&sent);
        let _ = bus.shutdown(Shutdown::Write);
        let _ = (&bus).read_to_end(&mut Vec::new());
    });
    let connection = BusConnection::over(ours.into(), Some(GUID.to_owned()), Instant::now() + LIMIT);
    let outcome = look_up(connection, Handshake::Pipelined, "service", "item");
    bus.join().expect("a bus");
    outcome
}

/// A look-up on a bus that does what `script` says.
fn look_up_with(handshake: Handshake, limit: Duration, script: impl FnOnce(UnixStream) + Send) -> Outcome {
    let (ours, bus) = UnixStream::pair().expect("sockets");
    thread::scope(|scope| {
        scope.spawn(|| script(bus));
        let connection = BusConnection::over(ours.into(), None, Instant::now() + limit);
        look_up(connection, handshake, "service", "item")
    })
}

/// Reads until the client has sent `end`.
fn read_until(bus: &mut UnixStream, end: &[u8]) -> Vec<u8> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    while !bytes.windows(end.len()).any(|part| part == end) {
        let count = bus.read(&mut buffer).expect("a request");
        assert_ne!(count, 0, "the client has gone");
        bytes.extend_from_slice(&buffer[..count]);
    }
    bytes
}

/// Asserts that the client sends nothing for now.
#[track_caller]
fn assert_silent(bus: &mut UnixStream) {
    bus.set_read_timeout(Some(SHORT)).expect("a limit");
    bus.read(&mut [0]).expect_err("nothing yet");
    bus.set_read_timeout(None).expect("no limit");
}

#[track_caller]
fn assert_text(outcome: Outcome, text: Option<&str>) {
    assert_eq!(outcome.expect("a look-up").as_ref().map(|found| found.as_str()), text);
}

#[track_caller]
fn assert_fails(outcome: Outcome, kind: &str) {
    let error = outcome.expect_err("no item");
    assert!(format!("{error:?}").starts_with(kind), "{error:?}");
}

#[test]
fn secret_of_the_first_unlocked_item_is_read() {
    assert_text(look_up_in(&whole().concat()), Some("the key"));
    assert_text(look_up_in(&[accepted(), found(&[], &[])].concat()), None);
    assert_fails(look_up_in(&[accepted(), found(&[], &[ITEM])].concat()), "Locked");
    let both = [accepted(), found(&[ITEM, "/other"], &["/locked"]), opened(), secret(b"the key")];
    assert_text(look_up_in(&both.concat()), Some("the key"));
    let not_text = [accepted(), found(&[ITEM], &[]), opened(), secret(b"\xff\xfe")];
    assert_text(look_up_in(&not_text.concat()), None);
}

#[test]
fn search_is_sent_at_once_and_nothing_follows_it_before_its_reply() {
    let outcome = look_up_with(Handshake::Pipelined, LIMIT, |mut bus| {
        let requests = read_until(&mut bus, b"username");
        assert!(requests.starts_with(b"\0AUTH EXTERNAL 3"), "{requests:?}");
        let mut parts = whole();
        let last = parts.split_off(4);
        bus.write_all(&parts[..3].concat()).expect("replies");
        assert_silent(&mut bus);
        bus.write_all(&parts[3]).expect("a reply");
        read_until(&mut bus, b"plain");
        assert_silent(&mut bus);
        bus.write_all(&last[0]).expect("a reply");
        let request = read_until(&mut bus, SESSION.as_bytes());
        let contains = |text: &str| request.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(contains(ITEM) && contains("org.freedesktop.Secret.Item"), "{request:?}");
        bus.write_all(&last[1]).expect("a reply");
    });
    assert_text(outcome, Some("the key"));
}

#[test]
fn search_is_repeated_if_the_service_has_missed_the_client() {
    let missed = || message_in(LE, ERROR, SEARCH_ITEMS, UNKNOWN_METHOD, &"no such method");
    let outcome = look_up_with(Handshake::Pipelined, LIMIT, |mut bus| {
        read_until(&mut bus, b"username");
        bus.write_all(&[accepted(), missed()].concat()).expect("replies");
        assert!(!read_until(&mut bus, b"username").windows(5).any(|part| part == b"Hello"));
        bus.write_all(&whole()[3..].concat()).expect("replies");
        read_until(&mut bus, b"GetSecret");
    });
    assert_text(outcome, Some("the key"));
    // Only so often, and only the search.
    let always = vec![missed(); SEARCHES];
    assert_fails(look_up_in(&[&[accepted()], &always[..], &whole()[3..]].concat().concat()), "Remote");
    let session = message_in(LE, ERROR, OPEN_SESSION, UNKNOWN_METHOD, &"no such method");
    assert_fails(look_up_in(&[accepted(), found(&[ITEM], &[]), session].concat()), "Remote");
}

#[test]
fn behind_a_proxy_nothing_follows_the_authentication_before_it_is_accepted() {
    let outcome = look_up_with(Handshake::Stepwise, LIMIT, |mut bus| {
        assert!(read_until(&mut bus, b"\r\n").ends_with(b"\r\n"));
        assert_silent(&mut bus);
        bus.write_all(&accepted()).expect("a line");
        assert!(read_until(&mut bus, b"username").starts_with(b"BEGIN\r\n"));
        bus.write_all(&whole()[1..].concat()).expect("replies");
        read_until(&mut bus, b"GetSecret");
    });
    assert_text(outcome, Some("the key"));
}

#[test]
fn replies_may_come_in_any_pieces() {
    let bytes = whole().concat();
    let outcome = look_up_with(Handshake::Pipelined, LIMIT, |mut bus| {
        // What it has not read stays in the socket, so that closing it does not take anything back.
        bytes.iter().for_each(|byte| bus.write_all(&[*byte]).expect("a byte"));
        read_until(&mut bus, b"GetSecret");
    });
    assert_text(outcome, Some("the key"));
}

#[test]
fn service_with_the_other_byte_order_is_understood() {
    let big = [
        accepted(),
        message_in(BE, METHOD_RETURN, SEARCH_ITEMS, "", &(vec![path(ITEM)], Vec::<ObjectPath>::new())),
        message_in(BE, METHOD_RETURN, OPEN_SESSION, "", &(Value::from(""), path(SESSION))),
        message_in(BE, METHOD_RETURN, GET_SECRET, "", &((path(SESSION), &b""[..], &b"the key"[..], "text/plain"),)),
    ];
    assert_text(look_up_in(&big.concat()), Some("the key"));
}

#[test]
fn what_is_not_a_reply_to_a_request_is_skipped() {
    let (session, item) = (path(SESSION), path("/false"));
    let false_secret = ((session, &b""[..], &b"false"[..], "text/plain"),);
    let more = [
        accepted(),
        // A signal may have any fields; types of messages may be added.
        message_in(LE, SIGNAL, SEARCH_ITEMS, "", &(vec![item.clone()], vec![item.clone()])),
        message_in(LE, SIGNAL, GET_SECRET, "", &false_secret),
        message_in(LE, 77, GET_SECRET, "", &false_secret),
        reply_to(77, &false_secret),
        found(&[ITEM], &[]),
        opened(),
        message_in(LE, SIGNAL, GET_SECRET, "", &false_secret),
        secret(b"the key"),
    ];
    assert_text(look_up_in(&more.concat()), Some("the key"));
}

#[test]
fn error_of_a_request_ends_the_look_up() {
    let unknown = "org.freedesktop.DBus.Error.ServiceUnknown";
    for serial in [HELLO, SEARCH_ITEMS] {
        let bytes = [accepted(), message_in(LE, ERROR, serial, unknown, &"no such service")].concat();
        let error = look_up_in(&bytes).expect_err("no item");
        assert_eq!(error.to_string(), format!("{unknown}: no such service"));
        assert_eq!(KeyError::from(error), KeyError::NoKeyring);
    }
    let start = [accepted(), found(&[ITEM], &[]), opened()].concat();
    let locked = look_up_in(&[start.clone(), message_in(LE, ERROR, GET_SECRET, IS_LOCKED, &())].concat());
    assert_eq!(KeyError::from(locked.expect_err("no item")), KeyError::Locked);
    // The text of an error may be missing, or something else.
    let other = look_up_in(&[start, message_in(LE, ERROR, GET_SECRET, "com.example.Error", &(7_u32, 7_u32))].concat());
    assert_eq!(other.expect_err("no item").to_string(), "com.example.Error: ");
}

#[test]
fn bus_that_does_not_accept_the_user_or_has_another_id_is_refused() {
    let rest = whole()[1..].concat();
    for (line, kind) in [
        ("REJECTED EXTERNAL DBUS_COOKIE_SHA1\r\n".to_owned(), "NotAuthenticated"),
        ("ERROR\r\n".to_owned(), "NotAuthenticated"),
        ("\r\n".to_owned(), "NotAuthenticated"),
        (format!("OK {}\r\n", GUID.replace('0', "9")), "OtherBus"),
        ("OK \r\n".to_owned(), "OtherBus"),
    ] {
        assert_fails(look_up_in(&[line.as_bytes(), &rest].concat()), kind);
    }
    assert_fails(look_up_in(b"OK \xff\xff\r\n"), "Malformed");
}

#[test]
fn bus_that_closes_early_is_noticed_at_any_point() {
    let bytes = whole().concat();
    for length in 0..bytes.len() {
        assert_fails(look_up_in(&bytes[..length]), "Closed");
    }
}

#[test]
fn lengths_that_are_not_true_are_refused() {
    let start = accepted();
    for (at, number) in [(4, u32::MAX), (4, 1 << 20), (12, u32::MAX), (12, 1 << 20)] {
        let mut lying = found(&[ITEM], &[]);
        lying[at..at + 4].copy_from_slice(&number.to_le_bytes());
        assert_fails(look_up_in(&[start.clone(), lying].concat()), "TooLong");
    }
    // Fields and body that are shorter or longer than they say.
    for (at, number) in [(4, 0), (12, 0), (12, 1), (12, 16)] {
        let mut lying = found(&[ITEM], &[]);
        lying[at..at + 4].copy_from_slice(&u32::to_le_bytes(number));
        look_up_in(&[start.clone(), lying].concat()).expect_err("no item");
    }
    // An array in a body that claims to be larger than the message.
    let mut lying = found(&[ITEM], &[]);
    let body = lying.len() - (4 + 4 + ITEM.len() + 1).next_multiple_of(4) - 4;
    for number in [u32::MAX, 64 << 20, 1000] {
        lying[body..body + 4].copy_from_slice(&number.to_le_bytes());
        assert_fails(look_up_in(&[start.clone(), lying.clone()].concat()), "Malformed");
    }
}

#[test]
fn messages_that_are_not_valid_are_refused() {
    for (at, byte) in [(0, b'L'), (0, 0), (3, 2), (3, 0)] {
        let mut wrong = found(&[ITEM], &[]);
        wrong[at] = byte;
        assert_fails(look_up_in(&[accepted(), wrong].concat()), "Malformed");
    }
    // The other byte order makes the lengths enormous.
    let mut swapped = found(&[ITEM], &[]);
    swapped[0] = b'B';
    assert_fails(look_up_in(&[accepted(), swapped].concat()), "TooLong");
    assert_fails(look_up_in(&[&accepted()[..], &b"HTTP/1.1 400 Bad Request\r\n"[..]].concat()), "Malformed");
    // Replies with other types.
    let start = accepted();
    for wrong in [
        reply_to(SEARCH_ITEMS, &"text"),
        reply_to(SEARCH_ITEMS, &()),
        reply_to(SEARCH_ITEMS, &(vec![7_u32], vec![7_u32])),
    ] {
        assert_fails(look_up_in(&[start.clone(), wrong].concat()), "Malformed");
    }
    let start = [start, found(&[ITEM], &[]), opened()].concat();
    for wrong in [reply_to(GET_SECRET, &"the key"), reply_to(GET_SECRET, &(path(SESSION), "", "the key", ""))] {
        assert_fails(look_up_in(&[start.clone(), wrong].concat()), "Malformed");
    }
}

#[test]
fn bus_that_never_stops_sending_is_given_up() {
    let signal = message_in(LE, SIGNAL, 0, "", &"x".repeat(1000));
    let endless = [accepted(), signal.repeat(1000)].concat();
    for bytes in [endless, vec![b'x'; 1 << 20], [accepted(), vec![0; 1 << 20]].concat()] {
        let error = look_up_in(&bytes).expect_err("no item");
        assert!(matches!(error, LookupError::TooLong | LookupError::Malformed), "{error:?}");
    }
    // Many items are too much as well.
    let many = vec![ITEM; 4000];
    assert_fails(look_up_in(&[accepted(), found(&many, &[])].concat()), "TooLong");
}

#[test]
fn bus_that_does_not_answer_is_given_up_at_the_deadline() {
    let silent = |sent: Vec<u8>| {
        move |mut bus: UnixStream| {
            bus.write_all(&sent).expect("bytes");
            // Until the client closes the connection.
            while bus.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {}
        }
    };
    let parts = whole();
    for count in 0..parts.len() {
        assert_fails(look_up_with(Handshake::Pipelined, SHORT, silent(parts[..count].concat())), "TimedOut");
    }
    assert_fails(look_up_with(Handshake::Stepwise, SHORT, silent(Vec::new())), "TimedOut");
    // Each byte comes in time, and the look-up as a whole does not.
    let slow = |mut bus: UnixStream| {
        while bus.write_all(b"O").is_ok() {
            thread::sleep(SHORT / 20);
        }
    };
    assert_fails(look_up_with(Handshake::Pipelined, SHORT, slow), "TimedOut");
    assert_eq!(KeyError::from(LookupError::TimedOut), KeyError::Frozen);
}

#[test]
fn bus_that_reads_nothing_does_not_block_the_look_up() {
    let (ours, _bus) = UnixStream::pair().expect("sockets");
    let connection = BusConnection::over(ours.into(), None, Instant::now() + SHORT);
    assert!(matches!(connection.send(&vec![0; 8 << 20]), Err(LookupError::TimedOut)));
}

#[test]
fn first_address_with_a_bus_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| {
        let socket = SocketAddrUnix::new(folder.path().join(name)).expect("an address");
        BusAddress { socket, guid: None }
    };
    let open = |addresses: &[BusAddress]| BusConnection::open(addresses, Instant::now() + LIMIT).map(drop);
    let listener = UnixListener::bind(folder.path().join("bus")).expect("a socket");
    drop(UnixListener::bind(folder.path().join("dead")).expect("a socket"));
    open(&[at("missing"), at("dead"), at("bus")]).expect("a bus");
    listener.accept().expect("the connection");
    for (addresses, kind) in [(&[at("missing"), at("dead")][..], "Io"), (&[], "NoAddress")] {
        let error = open(addresses).expect_err("no bus");
        assert!(format!("{error:?}").starts_with(kind), "{error:?}");
        assert_eq!(KeyError::from(error), KeyError::NoKeyring);
    }
}

#[test]
fn bus_that_accepts_no_connection_is_given_up_at_the_deadline() {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
    let folder = tempfile::tempdir().expect("a folder");
    let address =
        BusAddress { socket: SocketAddrUnix::new(folder.path().join("bus")).expect("an address"), guid: None };
    let full = socket(AddressFamily::UNIX, SocketType::STREAM, None).expect("a socket");
    bind(&full, &address.socket).expect("an address");
    listen(&full, 0).expect("a queue");
    let open = || BusConnection::open(std::slice::from_ref(&address), Instant::now() + SHORT);
    let connections: Vec<_> = std::iter::repeat_with(open).take(3).collect();
    assert!(matches!(connections.last(), Some(Err(LookupError::TimedOut))));
}

proptest! {
    /// A look-up on a bus that sends a good conversation with a few bytes changed ends, and does not panic.
    #[test]
    fn damaged_conversation_ends_the_look_up(
        changes in vec((any::<Index>(), prop_oneof![any::<u8>(), select(&b"ybnqiuxtdsoghavm(){}"[..])]), 1..8),
        cut in any::<Index>(),
    ) {
        let mut bytes = whole().concat();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let cut = cut.index(2 * bytes.len()).min(bytes.len());
        let _ = look_up_in(&bytes[..cut]);
    }

    /// The same with any bytes after the authentication.
    #[test]
    fn any_bytes_end_the_look_up(bytes in vec(any::<u8>(), 0..200), body in 0..64_u8, fields in 0..64_u8) {
        let header = [b'l', 2, 0, 1, body, 0, 0, 0, 1, 0, 0, 0, fields, 0, 0, 0];
        let _ = look_up_in(&[&accepted()[..], &header, &bytes].concat());
    }
}
