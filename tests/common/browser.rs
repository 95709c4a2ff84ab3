//! The test is the browser: a sign-in under way, the address that it shows, and plain requests to whoever listens.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate of its own and uses what it needs")]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use sim::World;
use url::{Url, form_urlencoded};

use crate::common::{Home, Run, entra, needed, oidc};

/// Longer than anything here takes: only a hang gets there.
pub const HANG: Duration = Duration::from_secs(90);
/// As a person at a machine whose browser is elsewhere has it: asked in any case, on stderr, and nothing is opened.
pub const ASKING: [&str; 3] = ["--prompt", "always", "--skip-open-browser"];

/// Who is signed in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    Entra,
    Oidc,
}

pub const BOTH: [Issuer; 2] = [Issuer::Entra, Issuer::Oidc];

impl Issuer {
    /// `get-token` by browser, with `more` behind.
    pub fn by_browser(self, world: &World, more: &[&str]) -> Vec<String> {
        match self {
            Issuer::Entra => entra(world, &[&["--login", "interactive"], more].concat()),
            Issuer::Oidc => oidc(world, &[&["--grant-type", "authcode"], more].concat()),
        }
    }

    /// What `status` calls it.
    pub fn by_browser_is_called(self) -> &'static str {
        match self {
            Issuer::Entra => "interactive",
            Issuer::Oidc => "authcode",
        }
    }

    /// The same with a device code.
    pub fn by_code(self, world: &World, more: &[&str]) -> Vec<String> {
        match self {
            Issuer::Entra => entra(world, &[&["--login", "devicecode"], more].concat()),
            Issuer::Oidc => oidc(world, &[&["--grant-type", "device-code"], more].concat()),
        }
    }

    /// A sign-in by browser that has shown its address.
    #[track_caller]
    pub fn start(self, world: &World, home: &Home, more: &[&str]) -> SignIn {
        SignIn::of(&mut home.plugin(&self.by_browser(world, &[&ASKING[..], more].concat())))
    }
}

/// A sign-in under way, which ends with the test whatever becomes of that.
pub struct SignIn {
    child: Option<Child>,
    /// All of stderr, once it has ended.
    shown: Option<JoinHandle<String>>,
    /// The page to sign in at.
    pub address: Url,
}

impl SignIn {
    /// Starts a command, and waits until it has shown an address.
    #[track_caller]
    pub fn of(command: &mut Command) -> SignIn {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut shown = String::new();
        let address = loop {
            let before = shown.len();
            assert!(stderr.read_line(&mut shown).unwrap() > 0, "it showed no address: {shown}");
            match Url::parse(shown[before..].trim_end()) {
                Ok(url) if url.path().ends_with("/authorize") => break url,
                _ => {}
            }
        };
        let rest = move || {
            let _ = stderr.read_to_string(&mut shown);
            shown
        };
        SignIn { child: Some(child), shown: Some(std::thread::spawn(rest)), address }
    }

    /// A parameter of the address; nothing if it is not there.
    pub fn parameter(&self, name: &str) -> String {
        self.address.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    }

    /// Where the browser is to come back to.
    pub fn redirect(&self) -> Url {
        Url::parse(&self.parameter("redirect_uri")).unwrap()
    }

    pub fn port(&self) -> u16 {
        self.redirect().port().unwrap()
    }

    /// Where the issuer sends the browser, which has signed in.
    #[track_caller]
    pub fn call_back(&self) -> Url {
        get(&self.address).location()
    }

    /// Signs in, and brings the answer back: the page that the browser ends on.
    #[track_caller]
    pub fn bring_back(&self) -> Page {
        get(&self.call_back())
    }

    /// The process, or what stands in for it.
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits for the end.
    pub fn end(mut self) -> Run {
        let mut run = Run::wait(self.child.take().unwrap());
        run.stderr = self.shown.take().unwrap().join().unwrap();
        run
    }

    /// The whole of it, as it should be: the last page, and what came out.
    #[track_caller]
    pub fn finish(self) -> (Page, Run) {
        let page = self.bring_back();
        let run = self.end();
        run.token();
        page.assert_signed_in();
        (page, run)
    }
}

impl Drop for SignIn {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A program for `--browser-command` that hands over the address it is to open.
pub struct Opener {
    folder: tempfile::TempDir,
    address: mpsc::Receiver<String>,
}

impl Opener {
    pub fn new() -> Opener {
        let folder = tempfile::tempdir().unwrap();
        let (program, pipe) = (folder.path().join("opener"), folder.path().join("pipe"));
        assert!(Command::new(needed("mkfifo", "coreutils")).arg(&pipe).status().unwrap().success());
        std::fs::write(&program, format!("#!/bin/sh\necho \"$1\" >'{}'\n", pipe.display())).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let (opened, address) = mpsc::channel();
        // Reading begins when the program opens its end; where it never does, this waits with nobody waiting for it.
        std::thread::spawn(move || opened.send(std::fs::read_to_string(pipe).unwrap_or_default()));
        Opener { folder, address }
    }

    /// Its path.
    pub fn program(&self) -> PathBuf {
        self.folder.path().join("opener")
    }

    /// The flag that names it.
    pub fn flag(&self) -> String {
        format!("--browser-command={}", self.program().display())
    }

    /// Whether it has been started, as far as it has come to hand over anything.
    pub fn was_started(&self) -> bool {
        self.address.try_recv().is_ok()
    }

    /// Waits until it is started, and hands back what it was to open.
    #[track_caller]
    pub fn address(&self) -> Url {
        let opened = self.address.recv_timeout(HANG).unwrap();
        Url::parse(opened.trim_end()).unwrap()
    }
}

/// What came back to one request; the status is 0 where the connection ended without an answer.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    /// Names in lower case.
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

    /// The header of that name (lower case), or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Where a redirect leads.
    #[track_caller]
    pub fn location(&self) -> Url {
        assert_eq!(self.status, 302, "{self:?}");
        Url::parse(self.header("location")).unwrap()
    }

    /// What is read in its paragraphs.
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

    /// Asserts the page that says who signed in.
    #[track_caller]
    pub fn assert_signed_in(&self) {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(self.body.contains("<h1>Signed in</h1>"), "{self:?}");
        self.assert_plain();
    }

    /// Asserts a page that says what is wrong, and repeats none of `secrets`.
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

    /// Asserts that it says what the terminal does.
    #[track_caller]
    pub fn assert_says_the_error_of(&self, run: &Run) {
        self.assert_error(400, &[]);
        let first = self.sentences().remove(0);
        let what = run.stderr.lines().find_map(|line| line.strip_prefix("Error: ")).unwrap_or("no error");
        assert_eq!(first, format!("Error: {what}"), "{run}");
    }
}

/// An address with one parameter of its query set, or taken away.
pub fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let mut changed = url.clone();
    let others = url.query_pairs().filter(|(key, _)| key != name);
    changed.query_pairs_mut().clear().extend_pairs(others).extend_pairs(value.map(|value| (name, value)));
    changed
}

/// The values in the query of a call-back, which nobody has to see again.
pub fn secrets_of(url: &Url) -> Vec<String> {
    url.query_pairs().map(|(_, value)| value.into_owned()).filter(|value| value.len() > 4).collect()
}

pub fn get(url: &Url) -> Page {
    request("GET", url, &[], "")
}

/// Sends a form as a browser does.
pub fn post(url: &Url, fields: &[(String, String)]) -> Page {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request("POST", url, &["content-type: application/x-www-form-urlencoded"], &form)
}

/// One request on a connection of its own; `headers` are whole lines, and may name another host.
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

/// A connection to where the address leads.
pub fn connect(url: &Url) -> TcpStream {
    let stream = TcpStream::connect(&url.socket_addrs(|| None).unwrap()[..]).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream
}

/// Sends bytes, and reads what comes back to its end.
pub fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> Page {
    let mut answer = Vec::new();
    // Whoever has heard enough may leave in the middle of a request, or of an answer.
    let _ = stream.write_all(bytes).and_then(|()| stream.read_to_end(&mut answer));
    Page::read(&answer)
}
