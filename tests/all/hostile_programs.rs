//! A program or a web page on this machine that attacks the listener during a sign-in: the callback still gets through.
//!
//! Separate from the other browser sign-ins, because the attacks use most of the machine and of its network.
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

/// One attack on the listener of this port.
pub(crate) type Attack = fn(u16);

pub(crate) fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.set_write_timeout(Some(Duration::from_secs(5))).ok()?;
    Some(stream)
}

/// Sends the parts, and reads until the listener closes the connection.
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

pub(crate) fn connect_and_close(port: u16) {
    drop(connect(port));
}

/// Keeps a connection open without sending anything.
pub(crate) fn idle(port: u16) {
    say(port, &[]);
}

/// Sends one byte every 100 ms, until the listener closes the connection.
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

/// Ends the attacks, even if the test panics.
struct StopAttacks<'a>(&'a AtomicBool);

impl Drop for StopAttacks<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Attacks use the whole machine, so only one test runs at a time.
pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Long timeouts: on a small machine the attacks take most of the time, and these tests do not measure speed.
pub(crate) const PATIENT: [&str; 4] = ["--timeout", "5m", "--authentication-timeout-sec", "600"];

/// Signs in during the attacks, each on so many threads. The callback is sent after so many attempts.
#[track_caller]
fn assert_sign_in_under(attacks: &[(usize, Attack)], goes: usize) {
    assert_sign_in_with(&[], attacks, goes, get);
}

/// The same with `more` flags, and with another browser.
#[track_caller]
pub(crate) fn assert_sign_in_with(
    more: &[&str],
    attacks: &[(usize, Attack)],
    goes: usize,
    browser: impl FnOnce(&Url) -> Page,
) {
    let _alone = one_at_a_time();
    // The browser that sent the callback must still be connected after the exchange.
    let (world, home) = (World::start_with(&[Behaviour::DelayToken]), Home::new());
    let sign_in = Issuer::Oidc.start(&world, &home, &[&PATIENT[..], more].concat());
    let (port, back) = (sign_in.port(), sign_in.callback_url());
    let over = AtomicBool::new(false);
    let page = std::thread::scope(|scope| {
        let _over = StopAttacks(&over);
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
fn sign_in_survives_forged_callbacks() {
    assert_sign_in_under(&[(8, forged), (8, forged_errors)], 4_000);
}

#[test]
fn sign_in_survives_silent_connections() {
    assert_sign_in_under(&[(200, idle)], 200);
}

#[test]
fn sign_in_survives_slow_connections() {
    assert_sign_in_under(&[(150, slow)], 150);
}

#[test]
fn sign_in_survives_short_connections() {
    assert_sign_in_under(&[(16, connect_and_close)], 4_000);
}

#[test]
fn sign_in_survives_oversized_requests() {
    let attacks: [Attack; 6] =
        [huge_headers, many_headers, huge_line, huge_form, form_without_end, form_that_never_comes];
    assert_sign_in_under(&attacks.map(|attack| (4, attack)), 100);
}

#[test]
fn sign_in_survives_invalid_requests() {
    assert_sign_in_under(&[(8, garbage), (8, smuggled)], 500);
}

#[test]
fn sign_in_survives_all_attacks_together() {
    let loud: [Attack; 8] =
        [forged, forged_errors, huge_headers, huge_line, huge_form, form_without_end, garbage, connect_and_close];
    let quiet: [(usize, Attack); 2] = [(100, idle), (50, slow)];
    let attacks: Vec<_> = loud.map(|attack| (2, attack)).into_iter().chain(quiet).collect();
    assert_sign_in_under(&attacks, 1_000);
}
