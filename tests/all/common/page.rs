//! Plain HTTP requests, as from a browser, and the pages in the responses.

use std::io::{Read, Write};
use std::net::TcpStream;

use url::{Url, form_urlencoded};

use crate::common::{HANG, Run};

/// The response to one request; the status is 0 if the connection was closed without a response.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Page {
    fn read(bytes: &[u8]) -> Page {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Page { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
    }

    /// The header of that name (lower case), or an empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The target of a redirect.
    #[track_caller]
    pub fn location(&self) -> Url {
        assert_eq!(self.status, 302, "{self:?}");
        Url::parse(self.header("location")).unwrap()
    }

    /// The text of its paragraphs.
    pub fn sentences(&self) -> Vec<String> {
        let paragraphs = self.body.split("<p>").skip(1).filter_map(|rest| rest.split("</p>").next());
        paragraphs.map(|html| html_escape::decode_html_entities(html).into_owned()).collect()
    }

    #[track_caller]
    fn assert_plain(&self) {
        assert!(self.header("content-type").starts_with("text/html"), "{self:?}");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("referrer-policy"), "no-referrer");
        assert!(self.header("content-security-policy").starts_with("default-src 'none'"), "{self:?}");
        let body = self.body.to_lowercase();
        for active in ["<script", "javascript:", " on", "<iframe", "<form", "src="] {
            let found = body.match_indices(active).any(|(at, _)| {
                let inside = body[..at].rfind('<') > body[..at].rfind('>');
                inside || active.starts_with('<')
            });
            assert!(!found, "{active:?}: {self:?}");
        }
    }

    /// Asserts that this is the page that says who signed in.
    #[track_caller]
    pub fn assert_signed_in(&self) {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(self.body.contains("<h1>Signed in</h1>"), "{self:?}");
        self.assert_plain();
    }

    /// Asserts that this is an error page, and that it contains none of `secrets`.
    #[track_caller]
    pub fn assert_error(&self, status: u16, secrets: &[String]) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(status >= 400 && !self.body.contains("<h1>Signed in</h1>"), "{self:?}");
        assert!(!self.sentences().is_empty(), "{self:?}");
        self.assert_plain();
        for secret in secrets {
            assert!(secret.len() > 4 && !self.body.contains(secret.as_str()), "{secret:?}: {self:?}");
        }
    }

    /// Asserts that it shows the same error as the terminal.
    #[track_caller]
    pub fn assert_shows_error_of(&self, run: &Run) {
        self.assert_error(400, &[]);
        let first = self.sentences().remove(0);
        let what = run.stderr.lines().find_map(|line| line.strip_prefix("Error: ")).unwrap_or("no error");
        assert_eq!(first, format!("Error: {what}"), "{run}");
    }
}

/// An address with one parameter of its query replaced or removed.
pub fn with_parameter(url: &Url, name: &str, value: Option<&str>) -> Url {
    let mut changed = url.clone();
    let others = url.query_pairs().filter(|(key, _)| key != name);
    changed.query_pairs_mut().clear().extend_pairs(others).extend_pairs(value.map(|value| (name, value)));
    changed
}

/// The values in the query of a callback, which must not be shown.
pub fn callback_secrets(url: &Url) -> Vec<String> {
    url.query_pairs().map(|(_, value)| value.into_owned()).filter(|value| value.len() > 4).collect()
}

pub fn get(url: &Url) -> Page {
    request("GET", url, &[], "")
}

/// Sends a form, as a browser does.
pub fn post(url: &Url, fields: &[(String, String)]) -> Page {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request("POST", url, &["content-type: application/x-www-form-urlencoded"], &form)
}

/// One request on its own connection; `headers` are whole lines, and may include another host.
pub fn request(method: &str, url: &Url, headers: &[&str], body: &str) -> Page {
    let bytes = request_bytes(method, url, headers, body);
    exchange(connect(url), &bytes)
}

pub fn request_bytes(method: &str, url: &Url, headers: &[&str], body: &str) -> Vec<u8> {
    let own = |name: &str| headers.iter().any(|line| line.to_lowercase().starts_with(name));
    let mut lines: Vec<String> = headers.iter().map(|line| (*line).to_owned()).collect();
    if !own("host:") {
        lines.push(format!("host: {}", &url[url::Position::BeforeHost..url::Position::AfterPort]));
    }
    if !body.is_empty() && !own("content-length:") {
        lines.push(format!("content-length: {}", body.len()));
    }
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    format!("{method} {target} HTTP/1.1\r\n{}\r\nconnection: close\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

/// A connection to the host and port of an address.
pub fn connect(url: &Url) -> TcpStream {
    let stream = TcpStream::connect(&url.socket_addrs(|| None).unwrap()[..]).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream
}

/// Sends bytes, and reads the whole response.
pub fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> Page {
    let mut response = Vec::new();
    // The server may close the connection in the middle of a request or of a response.
    let _ = stream.write_all(bytes).and_then(|()| stream.read_to_end(&mut response));
    Page::read(&response)
}
