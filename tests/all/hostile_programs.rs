//! A program or a page on this machine that does to the listener whatever it can think of, while somebody signs in: the
//! answer gets through all the same.
//!
//! Apart from the other sign-ins in the browser, to which it would leave little of the machine and of its network.
#![cfg(unix)]

mod tls;
#[cfg(target_os = "linux")]
mod web_page;

use std::io::{Read as _, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use crate::common::browser::{Issuer, Page, get};
use crate::common::{HANG, Home};
use sim::{Behaviour, World};
use url::Url;

const LOCAL: &str = "localhost";

/// One go at the listener of this port.
pub(crate) type Attack = fn(u16);

pub(crate) fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.set_write_timeout(Some(Duration::from_secs(5))).ok()?;
    Some(stream)
}

/// Says something, and listens to what comes back, if anything does.
pub(crate) fn say(port: u16, parts: &[&[u8]]) {
    let Some(mut stream) = connect(port) else { return };
    if parts.iter().all(|part| stream.write_all(part).is_ok()) {
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

pub(crate) fn head(line: &str, port: u16, more: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: {LOCAL}:{port}\r\n{more}").into_bytes()
}

pub(crate) fn forged(port: u16) {
    say(port, &[&head("GET /?code=forged&state=forged", port, "\r\n")]);
}

fn forged_errors(port: u16) {
    say(port, &[&head("GET /?error=access_denied&state=forged", port, "\r\n")]);
}

pub(crate) fn huge_headers(port: u16) {
    let line = format!("x-padding: {}\r\n", "a".repeat(1 << 20));
    say(port, &[&head("GET /?code=forged&state=forged", port, ""), line.as_bytes(), b"\r\n"]);
}

fn many_headers(port: u16) {
    let lines = "x-padding: a\r\n".repeat(20_000);
    say(port, &[&head("GET /", port, ""), lines.as_bytes(), b"\r\n"]);
}

fn huge_line(port: u16) {
    say(port, &[&head(&format!("GET /?code={}&state=forged", "a".repeat(1 << 20)), port, "\r\n")]);
}

const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

pub(crate) fn huge_form(port: u16) {
    let more = format!("{FORM}content-length: 8388608\r\n\r\n");
    say(port, &[&head("POST /", port, &more), &vec![b'a'; 1 << 23]]);
}

fn form_without_end(port: u16) {
    let chunk = [b"10000\r\n".to_vec(), vec![b'a'; 0x10000], b"\r\n".to_vec()].concat();
    let more = format!("{FORM}transfer-encoding: chunked\r\n\r\n");
    say(port, &[&head("POST /", port, &more), &chunk.repeat(64)]);
}

fn form_that_never_comes(port: u16) {
    let more = format!("{FORM}content-length: 100\r\nexpect: 100-continue\r\n\r\ncode=");
    say(port, &[&head("POST /", port, &more)]);
}

pub(crate) fn garbage(port: u16) {
    let bytes: Vec<u8> = (0..4096_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    say(port, &[&bytes]);
    say(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".chunks(1).collect::<Vec<_>>().as_slice());
}

fn smuggled(port: u16) {
    let more = format!("{FORM}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    say(port, &[&head("POST /", port, &more)]);
}

pub(crate) fn come_and_go(port: u16) {
    drop(connect(port));
}

/// Stays until it is sent away, and says nothing.
pub(crate) fn idle(port: u16) {
    say(port, &[]);
}

/// One byte every 100 ms, until it is sent away.
pub(crate) fn slow(port: u16) {
    let Some(stream) = connect(port) else { return };
    trickle(stream, &head("GET /?code=forged&state=forged", port, &"x: y\r\n".repeat(100)));
}

pub(crate) fn trickle(mut stream: impl Write, bytes: &[u8]) {
    for byte in bytes {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Ends the attacks, however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Each attack takes as much of the machine as it can get, so they come one after the other.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On a small machine the attacks take most of it; how fast the rest is then is not what is looked at.
pub(crate) const PATIENT: [&str; 4] = ["--timeout", "5m", "--authentication-timeout-sec", "600"];

/// Signs in while each of `attacks` goes on, on so many threads, and has for so many goes before the answer comes.
#[track_caller]
fn signs_in_under(attacks: &[(usize, Attack)], goes: usize) {
    signs_in_with(&[], attacks, goes, get);
}

/// The same with `more` flags, and with a browser of its own.
#[track_caller]
pub(crate) fn signs_in_with(
    more: &[&str],
    attacks: &[(usize, Attack)],
    goes: usize,
    browser: impl FnOnce(&Url) -> Page,
) {
    let _alone = alone();
    // Whoever brought the answer has to be there still when the exchange is over.
    let (world, home) = (World::start_with(&[Behaviour::DelayToken]), Home::new());
    let sign_in = Issuer::Oidc.start(&world, &home, &[&PATIENT[..], more].concat());
    let (port, back) = (sign_in.port(), sign_in.callback_url());
    let over = AtomicBool::new(false);
    let page = std::thread::scope(|scope| {
        let _over = Over(&over);
        let (begun, beginnings) = mpsc::channel();
        for (threads, attack) in attacks {
            for _ in 0..*threads {
                let (begun, over) = (begun.clone(), &over);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let _ = begun.send(());
                        attack(port);
                    }
                });
            }
        }
        for _ in 0..goes {
            beginnings.recv_timeout(HANG).unwrap();
        }
        browser(&back)
    });
    assert_eq!(page.status, 200, "{page:?}");
    page.assert_signed_in();
    sign_in.end().token();
    assert_eq!(world.token_requests("authorization_code").len(), 1);
}

#[test]
fn thousands_of_forged_call_backs() {
    signs_in_under(&[(8, forged), (8, forged_errors)], 4_000);
}

#[test]
fn connections_that_say_nothing() {
    signs_in_under(&[(200, idle)], 200);
}

#[test]
fn connections_that_say_a_byte_at_a_time() {
    signs_in_under(&[(150, slow)], 150);
}

#[test]
fn connections_that_come_and_go() {
    signs_in_under(&[(16, come_and_go)], 4_000);
}

#[test]
fn requests_without_measure() {
    let attacks: [Attack; 6] =
        [huge_headers, many_headers, huge_line, huge_form, form_without_end, form_that_never_comes];
    signs_in_under(&attacks.map(|attack| (4, attack)), 100);
}

#[test]
fn requests_that_are_none() {
    signs_in_under(&[(8, garbage), (8, smuggled)], 500);
}

#[test]
fn all_of_it_together() {
    let loud: [Attack; 8] =
        [forged, forged_errors, huge_headers, huge_line, huge_form, form_without_end, garbage, come_and_go];
    let quiet: [(usize, Attack); 2] = [(100, idle), (50, slow)];
    let attacks: Vec<_> = loud.map(|attack| (2, attack)).into_iter().chain(quiet).collect();
    signs_in_under(&attacks, 1_000);
}
