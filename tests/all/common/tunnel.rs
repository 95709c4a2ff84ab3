//! A proxy that leads every CONNECT to one port of this machine, whatever host was asked for: how a network brings a
//! client to a server under a name of its own, or to an attacker's.

use std::io::{Read as _, Write as _, copy};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The proxy. It works until the test process ends.
pub struct Tunnel {
    port: u16,
    used: Arc<AtomicUsize>,
}

impl Tunnel {
    /// A tunnel to the port of `url`.
    pub fn to(url: &str) -> Tunnel {
        let target = url::Url::parse(url).unwrap().port().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let used = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&used);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || forward(client, target));
            }
        });
        Tunnel { port, used }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections came so far.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

fn forward(mut client: TcpStream, target: u16) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).ok()?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let upwards = std::thread::spawn(move || {
        let _ = copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Write);
    upwards.join().ok()
}
