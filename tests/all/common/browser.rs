//! The test is the browser: a sign-in under way, and the address that it shows.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use sim::World;
use url::Url;

pub use crate::common::page::{Page, connect, exchange, get, post, request, request_bytes, secrets_of, with};
use crate::common::programs::write_program;
use crate::common::{HANG, Home, Run, entra, needed, oidc};

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
        write_program(&program, &format!("#!/bin/sh\necho \"$1\" >'{}'\n", pipe.display()));
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
