//! The test plays the browser: a sign-in in progress, and the address that it shows.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use sim::World;
use url::Url;

pub use crate::common::page::{
    Page, callback_secrets, connect, exchange, get, post, request, request_bytes, with_parameter,
};
use crate::common::programs::write_program;
use crate::common::{HANG, Home, Run, entra, needed, oidc};

/// Always prompts, on stderr, and does not open a browser: as if the user's browser were on another machine.
pub const SHOW_ADDRESS: [&str; 3] = ["--prompt", "always", "--skip-open-browser"];

/// The issuer to sign in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    Entra,
    Oidc,
}

pub const BOTH: [Issuer; 2] = [Issuer::Entra, Issuer::Oidc];

impl Issuer {
    /// `get-token` with a browser sign-in, followed by `more`.
    pub fn by_browser(self, world: &World, more: &[&str]) -> Vec<String> {
        match self {
            Issuer::Entra => entra(world, &[&["--login", "interactive"], more].concat()),
            Issuer::Oidc => oidc(world, &[&["--grant-type", "authcode"], more].concat()),
        }
    }

    /// The name of the method in `status`.
    pub fn browser_method(self) -> &'static str {
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

    /// Starts a browser sign-in, and waits until it has shown its address.
    #[track_caller]
    pub fn start(self, world: &World, home: &Home, more: &[&str]) -> SignIn {
        SignIn::start(&mut home.plugin(&self.by_browser(world, &[&SHOW_ADDRESS[..], more].concat())))
    }
}

/// A sign-in in progress. It is killed when this is dropped.
pub struct SignIn {
    child: Option<Child>,
    /// All of stderr, when the process has ended.
    shown: Option<JoinHandle<String>>,
    /// The address of the sign-in page.
    pub address: Url,
}

impl SignIn {
    /// Starts a command, and waits until it has shown an address.
    #[track_caller]
    pub fn start(command: &mut Command) -> SignIn {
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

    /// A parameter of the address; empty if it is missing.
    pub fn parameter(&self, name: &str) -> String {
        self.address.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    }

    /// The redirect address.
    pub fn redirect_url(&self) -> Url {
        Url::parse(&self.parameter("redirect_uri")).unwrap()
    }

    pub fn port(&self) -> u16 {
        self.redirect_url().port().unwrap()
    }

    /// The address to which the issuer redirects the browser after the sign-in.
    #[track_caller]
    pub fn callback_url(&self) -> Url {
        get(&self.address).location()
    }

    /// Signs in and sends the callback. Returns the page on which the browser ends.
    #[track_caller]
    pub fn complete(&self) -> Page {
        get(&self.callback_url())
    }

    /// The process id, of the plugin or of a program around it.
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits until the process has ended.
    pub fn end(mut self) -> Run {
        let mut run = Run::wait(self.child.take().unwrap());
        run.stderr = self.shown.take().unwrap().join().unwrap();
        run
    }

    /// A successful sign-in: returns the last page and the output.
    #[track_caller]
    pub fn finish(self) -> (Page, Run) {
        let page = self.complete();
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

/// A program for `--browser-command` that passes on the address it should open.
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
        // Reading begins when the program opens the pipe. If it never does, only this thread waits.
        std::thread::spawn(move || opened.send(std::fs::read_to_string(pipe).unwrap_or_default()));
        Opener { folder, address }
    }

    /// The path of the program.
    pub fn program(&self) -> PathBuf {
        self.folder.path().join("opener")
    }

    /// The flag with the program.
    pub fn flag(&self) -> String {
        format!("--browser-command={}", self.program().display())
    }

    /// Whether the program has been started and has written an address.
    pub fn was_started(&self) -> bool {
        self.address.try_recv().is_ok()
    }

    /// Waits until the program has been started. Returns the address that it should open.
    #[track_caller]
    pub fn address(&self) -> Url {
        let opened = self.address.recv_timeout(HANG).unwrap();
        Url::parse(opened.trim_end()).unwrap()
    }
}
