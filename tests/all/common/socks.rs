//! A SOCKS5 proxy (RFC 1928, RFC 1929) that connects each name to one port of this machine and records the requests.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The proxy. It runs until the test process ends.
pub struct Socks {
    pub port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Socks {
    /// Connects to `target`. Requires `credentials` (`USER:PASSWORD`) if they are given. Sends the error `reply`
    /// instead if it is not 0.
    pub fn start(target: u16, credentials: Option<&'static str>, reply: u8) -> Socks {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let noted = Arc::clone(&noted);
                // It does not matter if the client disconnects early.
                std::thread::spawn(move || _ = serve(client, target, credentials, reply, &noted));
            }
        });
        Socks { port, requests }
    }

    /// The requests so far: `HOST:PORT`, and `auth USER:PASSWORD` for each pair that was sent.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    mut client: TcpStream,
    target: u16,
    credentials: Option<&str>,
    reply: u8,
    noted: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let [_, count] = bytes::<2>(&mut client)?;
    let methods = text(&mut client, count)?.into_bytes();
    let wanted = if credentials.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        return client.write_all(&[5, 0xff]);
    }
    client.write_all(&[5, wanted])?;
    if let Some(credentials) = credentials {
        let [_, length] = bytes::<2>(&mut client)?;
        let user = text(&mut client, length)?;
        let [length] = bytes::<1>(&mut client)?;
        let given = format!("{user}:{}", text(&mut client, length)?);
        noted.lock().unwrap().push(format!("auth {given}"));
        client.write_all(&[1, u8::from(given != credentials)])?;
        if given != credentials {
            return Ok(());
        }
    }
    let [_, _, _, kind] = bytes::<4>(&mut client)?;
    let host = match kind {
        1 => Ipv4Addr::from(bytes::<4>(&mut client)?).to_string(),
        3 => {
            let [length] = bytes::<1>(&mut client)?;
            text(&mut client, length)?
        }
        _ => format!("{:x?}", bytes::<16>(&mut client)?),
    };
    let port = u16::from_be_bytes(bytes::<2>(&mut client)?);
    noted.lock().unwrap().push(format!("{host}:{port}"));
    client.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])?;
    if reply != 0 {
        return Ok(());
    }
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || io::copy(&mut from_server, &mut to_client));
    io::copy(&mut client, &mut server).map(|_| ())
}

fn bytes<const COUNT: usize>(from: &mut TcpStream) -> io::Result<[u8; COUNT]> {
    let mut read = [0; COUNT];
    from.read_exact(&mut read).map(|()| read)
}

fn text(from: &mut TcpStream, length: u8) -> io::Result<String> {
    let mut read = vec![0; usize::from(length)];
    from.read_exact(&mut read)?;
    Ok(String::from_utf8_lossy(&read).into_owned())
}
