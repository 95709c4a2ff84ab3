//! The same with https, where a connection has to be set up before the first request.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, LazyLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::common::Home;
use crate::common::https::{certificate, https, trusting, with_certificate};
use crate::hostile_programs::{
    Attack, assert_sign_in_with, connect, connect_and_close, forged, garbage, head, huge_form, idle, say, slow, trickle,
};

/// One certificate for all tests of this file, so that the attacks can use it too.
static CERTIFICATE: LazyLock<(String, String)> = LazyLock::new(certificate);
static CLIENT: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| trusting(&CERTIFICATE.0));

fn client() -> ClientConnection {
    ClientConnection::new(Arc::clone(&CLIENT), ServerName::try_from("localhost").unwrap()).unwrap()
}

/// The ClientHello of a browser.
fn hello() -> Vec<u8> {
    let mut bytes = Vec::new();
    client().write_tls(&mut bytes).unwrap();
    bytes
}

/// A connection after the TLS handshake.
fn after_handshake(port: u16) -> Option<StreamOwned<ClientConnection, TcpStream>> {
    let mut stream = StreamOwned::new(client(), connect(port)?);
    stream.conn.complete_io(&mut stream.sock).ok()?;
    Some(stream)
}

/// Keeps a connection with an incomplete handshake open, as the next attacks do.
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

fn idle_after_handshake(port: u16) {
    if let Some(mut stream) = after_handshake(port) {
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

fn slow_after_handshake(port: u16) {
    if let Some(stream) = after_handshake(port) {
        trickle(stream, &head("GET /?code=forged&state=forged", port, &"x: y\r\n".repeat(100)));
    }
}

fn forged_after_handshake(port: u16) {
    if let Some(mut stream) = after_handshake(port) {
        let _ = stream.write_all(&head("GET /?error=access_denied&state=forged", port, "\r\n"));
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

#[track_caller]
fn assert_sign_in_under(attacks: &[(usize, Attack)], goes: usize) {
    let files = Home::new();
    let more = with_certificate(&files, &CERTIFICATE);
    assert_sign_in_with(&more.each_ref().map(String::as_str), attacks, goes, |back| https(back, &CERTIFICATE.0));
}

#[test]
fn https_sign_in_survives_silent_connections() {
    assert_sign_in_under(&[(200, idle)], 200);
}

#[test]
fn https_sign_in_survives_incomplete_handshakes() {
    assert_sign_in_under(&[(100, half_a_hello), (100, half_a_handshake)], 200);
}

#[test]
fn https_sign_in_survives_silence_after_handshakes() {
    assert_sign_in_under(&[(100, idle_after_handshake)], 100);
}

#[test]
fn https_sign_in_survives_slow_handshakes_and_requests() {
    assert_sign_in_under(&[(100, slow_hello), (50, slow_after_handshake)], 150);
}

#[test]
fn https_sign_in_survives_forged_callbacks() {
    assert_sign_in_under(&[(8, forged_after_handshake)], 400);
}

#[test]
fn https_sign_in_survives_plain_http() {
    assert_sign_in_under(&[(8, forged), (2, huge_form), (4, garbage), (50, slow), (4, connect_and_close)], 2_000);
}

#[test]
fn https_sign_in_survives_all_attacks_together() {
    let loud: [Attack; 4] = [forged, garbage, connect_and_close, forged_after_handshake];
    let quiet: [(usize, Attack); 4] =
        [(50, idle), (50, half_a_handshake), (50, idle_after_handshake), (50, slow_hello)];
    let attacks: Vec<_> = loud.map(|attack| (2, attack)).into_iter().chain(quiet).collect();
    assert_sign_in_under(&attacks, 500);
}
