//! Requests a connection to a server from a proxy: HTTP's CONNECT (RFC 9110 section 9.3.6) and SOCKS5 (RFC 1928), with a
//! user name and password if the proxy's address has them (RFC 7617, RFC 1929).
//!
//! Must not know how the proxy was reached.

use std::net::IpAddr;

use base64::Engine as _;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::proxy::Proxy;
use super::proxy_fault::{ProxyFault, SocksRefusal};

/// The longest head of a proxy's response to CONNECT that is read, in bytes.
const HEAD_CAP: u64 = 16 * 1024;

/// Makes `proxy`, at the other end of `stream`, connect to `host` and `port`.
///
/// Errors: see [`ProxyFault`].
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
    (host, port): (&str, u16),
    user_agent: &str,
) -> Result<(), ProxyFault> {
    match proxy.url().scheme() {
        "http" | "https" => connect(stream, proxy, &format!("{host}:{port}"), user_agent).await,
        _ => socks(stream, proxy, host.trim_matches(['[', ']']), port).await,
    }
}

/// User name and password, percent-decoded.
fn credentials(proxy: &Proxy) -> Option<(Zeroizing<String>, Zeroizing<String>)> {
    let decoded = |text: &str| Zeroizing::new(percent_decode_str(text).decode_utf8_lossy().into_owned());
    let password = proxy.url().password().unwrap_or_default();
    proxy.has_credentials().then(|| (decoded(proxy.url().username()), decoded(password)))
}

fn broken(error: std::io::Error) -> ProxyFault {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => ProxyFault::NotAProxy("it closes the connection".to_owned()),
        _ => ProxyFault::NotAProxy(error.to_string()),
    }
}

async fn connect(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
    authority: &str,
    user_agent: &str,
) -> Result<(), ProxyFault> {
    let mut request = Zeroizing::new(format!(
        "CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: {user_agent}\r\nproxy-connection: keep-alive\r\n"
    ));
    if let Some((user, password)) = credentials(proxy) {
        let pair = Zeroizing::new(format!("{}:{}", *user, *password));
        let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*pair));
        request.push_str("proxy-authorization: Basic ");
        request.push_str(&encoded);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    match status(stream).await? {
        200..300 => Ok(()),
        407 => Err(ProxyFault::Credentials),
        status => Err(ProxyFault::Status(status)),
    }
}

/// The status of a response, whose head is read to its end and no further: the bytes that follow come from the server.
async fn status(stream: &mut (impl AsyncRead + Unpin)) -> Result<u16, ProxyFault> {
    let mut head = Vec::new();
    let mut stream = stream.take(HEAD_CAP);
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.map_err(broken)?);
    }
    let line = String::from_utf8_lossy(&head);
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
    status.ok_or_else(|| ProxyFault::NotAProxy("its answer is not HTTP".to_owned()))
}

async fn socks(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<(), ProxyFault> {
    const NO_AUTHENTICATION: u8 = 0;
    const USER_NAME: u8 = 2;
    let credentials = credentials(proxy);
    let methods: &[u8] = if credentials.is_some() { &[5, 2, NO_AUTHENTICATION, USER_NAME] } else { &[5, 1, 0] };
    stream.write_all(methods).await.map_err(broken)?;
    match (answer::<2>(stream).await?, credentials) {
        ([5, NO_AUTHENTICATION], _) => {}
        ([5, USER_NAME], Some((user, password))) => {
            let mut request = Zeroizing::new(vec![1]);
            for part in [&user, &password] {
                // The protocol has no room for a longer one.
                request.push(u8::try_from(part.len()).map_err(|_| ProxyFault::Credentials)?);
                request.extend_from_slice(part.as_bytes());
            }
            stream.write_all(&request).await.map_err(broken)?;
            if answer::<2>(stream).await?[1] != 0 {
                return Err(ProxyFault::Credentials);
            }
        }
        ([5, _], _) => return Err(ProxyFault::Credentials),
        _ => return Err(ProxyFault::NotAProxy("its answer is not SOCKS5".to_owned())),
    }

    let mut request = vec![5, 1, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend_from_slice(&address.octets());
        }
        Err(_) => {
            let length = u8::try_from(host.len()).map_err(|_| ProxyFault::Reply(SocksRefusal::NameTooLong))?;
            request.extend_from_slice(&[3, length]);
            request.extend_from_slice(host.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&request).await.map_err(broken)?;
    let [_, reply, _, kind] = answer::<4>(stream).await?;
    if reply != 0 {
        return Err(ProxyFault::Reply(SocksRefusal::from_code(reply)));
    }
    // The address that the proxy connects from is not used.
    let rest = match kind {
        1 => 4,
        4 => 16,
        _ => usize::from(answer::<1>(stream).await?[0]),
    };
    let mut address = vec![0; rest + 2];
    stream.read_exact(&mut address).await.map(|_| ()).map_err(broken)
}

async fn answer<const LENGTH: usize>(stream: &mut (impl AsyncRead + Unpin)) -> Result<[u8; LENGTH], ProxyFault> {
    let mut bytes = [0; LENGTH];
    stream.read_exact(&mut bytes).await.map_err(broken)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The outcome with a proxy that sends `script`, and what was sent to it.
    fn exchange(address: &str, host: &str, script: &[u8]) -> (Result<(), ProxyFault>, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let proxy = Proxy::from_cluster(address).expect("a proxy");
            let (mut near, mut far) = tokio::io::duplex(1 << 20);
            far.write_all(script).await.expect("room for it");
            far.shutdown().await.expect("an end");
            let outcome = ask(&mut near, &proxy, (host, 443), "agent").await;
            drop(near);
            let mut sent = Vec::new();
            far.read_to_end(&mut sent).await.expect("what was sent");
            (outcome, sent)
        })
    }

    #[test]
    fn connect_answers_are_told_apart() {
        let outcome = |script: &str| exchange("http://p", "host", script.as_bytes()).0;
        assert_eq!(outcome("HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n"), Ok(()));
        assert_eq!(outcome("HTTP/1.0 403 Forbidden\r\n\r\n"), Err(ProxyFault::Status(403)));
        assert_eq!(outcome("HTTP/1.1 407\r\nproxy-authenticate: Basic\r\n\r\n"), Err(ProxyFault::Credentials));
        assert!(matches!(outcome("SSH-2.0-x\r\n\r\n"), Err(ProxyFault::NotAProxy(_))));
        assert!(matches!(outcome("HTTP/1.1 200 OK\r\n"), Err(ProxyFault::NotAProxy(_))));
        assert!(matches!(outcome(&"x".repeat(100_000)), Err(ProxyFault::NotAProxy(_))));
        let (_, sent) = exchange("http://u:p%20w@p", "[::1]", b"HTTP/1.1 200 OK\r\n\r\n");
        let sent = String::from_utf8(sent).expect("text");
        assert!(sent.starts_with("CONNECT [::1]:443 HTTP/1.1\r\nhost: [::1]:443\r\nuser-agent: agent\r\n"), "{sent}");
        // u:p w
        assert!(sent.ends_with("\r\nproxy-authorization: Basic dTpwIHc=\r\n\r\n"), "{sent}");
    }

    #[test]
    fn socks_proxy_may_do_without_the_credentials() {
        let done = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let (outcome, sent) = exchange("socks5://u:p@p", "[::1]", &[&[5, 0][..], &done].concat());
        assert_eq!(outcome, Ok(()));
        assert!(sent.starts_with(&[5, 2, 0, 2, 5, 1, 0, 4]), "{sent:?}");
        let (outcome, sent) = exchange("socks5h://u:p@p", "a.example", &[&[5, 2, 1, 0][..], &done].concat());
        assert_eq!((outcome, &sent[4..9]), (Ok(()), &[1, 1, b'u', 1, b'p'][..]));
        assert!(sent.ends_with(b"\x03\x09a.example\x01\xbb"), "{sent:?}");
    }

    #[test]
    fn socks_refusals_are_told_apart() {
        let outcome = |script: &[u8]| exchange("socks5://u:p@p", "a", script).0;
        assert_eq!(outcome(&[5, 0xff]), Err(ProxyFault::Credentials));
        assert_eq!(outcome(&[5, 2, 1, 1]), Err(ProxyFault::Credentials));
        assert_eq!(outcome(&[5, 0, 5, 2, 0, 1]), Err(ProxyFault::Reply(SocksRefusal::NotAllowed)));
        assert!(matches!(outcome(b"HTTP/1.1 400"), Err(ProxyFault::NotAProxy(_))));
        assert!(matches!(outcome(&[5, 0, 5]), Err(ProxyFault::NotAProxy(_))));
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(script in any::<Vec<u8>>()) {
            let _ = (exchange("http://p", "h", &script), exchange("socks5://u:p@p", "h", &script));
        }
    }
}
