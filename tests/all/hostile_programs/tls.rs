//! The same where the listener speaks https: there is more to say before anything has been said.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, LazyLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::common::Home;
use crate::common::https::{certificate, https, trusting, with_certificate};
use crate::hostile_programs::{
    Attack, come_and_go, connect, forged, garbage, head, huge_form, idle, say, signs_in_with, slow, trickle,
};

/// One for all tests of this file, so that those who attack know it too.
static CERTIFICATE: LazyLock<(String, String)> = LazyLock::new(certificate);
static CLIENT: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| trusting(&CERTIFICATE.0));

fn client() -> ClientConnection {
    ClientConnection::new(Arc::clone(&CLIENT), ServerName::try_from("localhost").unwrap()).unwrap()
}

/// What a browser says first.
fn hello() -> Vec<u8> {
    let mut bytes = Vec::new();
    client().write_tls(&mut bytes).unwrap();
    bytes
}

/// A connection on which TLS is spoken already.
fn secured(port: u16) -> Option<StreamOwned<ClientConnection, TcpStream>> {
    let mut stream = StreamOwned::new(client(), connect(port)?);
    stream.conn.complete_io(&mut stream.sock).ok()?;
    Some(stream)
}

/// Stays until it is sent away, as everything does here that is not finished.
fn half_a_hello(port: u16) {
    let hello = hello();
    say(port, &[&hello[..hello.len() / 2]]);
}

fn half_a_handshake(port: u16) {
    say(port, &[&hello()]);
}

fn slow_hello(port: u16) {
    if let Some(stream) = connect(port) {
        trickle(stream, &hello());
    }
}

fn secured_and_idle(port: u16) {
    if let Some(mut stream) = secured(port) {
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

fn secured_and_slow(port: u16) {
    if let Some(stream) = secured(port) {
        trickle(stream, &head("GET /?code=forged&state=forged", port, &"x: y\r\n".repeat(100)));
    }
}

fn secured_and_forged(port: u16) {
    if let Some(mut stream) = secured(port) {
        let _ = stream.write_all(&head("GET /?error=access_denied&state=forged", port, "\r\n"));
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

#[track_caller]
fn signs_in_under(attacks: &[(usize, Attack)], goes: usize) {
    let files = Home::new();
    let more = with_certificate(&files, &CERTIFICATE);
    signs_in_with(&more.each_ref().map(String::as_str), attacks, goes, |back| https(back, &CERTIFICATE.0));
}

#[test]
fn connections_that_say_nothing() {
    signs_in_under(&[(200, idle)], 200);
}

#[test]
fn handshakes_that_are_never_finished() {
    signs_in_under(&[(100, half_a_hello), (100, half_a_handshake)], 200);
}

#[test]
fn connections_that_say_nothing_after_the_handshake() {
    signs_in_under(&[(100, secured_and_idle)], 100);
}

#[test]
fn handshakes_and_requests_a_byte_at_a_time() {
    signs_in_under(&[(100, slow_hello), (50, secured_and_slow)], 150);
}

#[test]
fn forged_call_backs() {
    signs_in_under(&[(8, secured_and_forged)], 400);
}

#[test]
fn what_is_no_tls() {
    signs_in_under(&[(8, forged), (2, huge_form), (4, garbage), (50, slow), (4, come_and_go)], 2_000);
}

#[test]
fn all_of_it_together() {
    let loud: [Attack; 4] = [forged, garbage, come_and_go, secured_and_forged];
    let quiet: [(usize, Attack); 4] = [(50, idle), (50, half_a_handshake), (50, secured_and_idle), (50, slow_hello)];
    let attacks: Vec<_> = loud.map(|attack| (2, attack)).into_iter().chain(quiet).collect();
    signs_in_under(&attacks, 500);
}
