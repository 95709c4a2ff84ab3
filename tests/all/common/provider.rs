//! Real identity providers, each on a free port of the loopback interface: npm's oidc-provider, and Dex.
//! `tests/providers/prepare` downloads them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on should stop, and say why")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::common::waiting::wait_until;
use crate::common::{Home, needed};

/// Our configuration of the providers.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/providers");

/// A running provider, which ends when this is dropped. If the test fails, this prints the provider's log.
pub struct Provider {
    process: Child,
    log: PathBuf,
    pub issuer: String,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            println!("--- {}\n{}", self.log.display(), fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

impl Provider {
    /// npm's oidc-provider, configured by `tests/providers/oidc-provider/server.mjs`.
    pub fn oidc_provider(home: &Home) -> Provider {
        let log = home.path().join("oidc-provider.log");
        let mut command = Command::new(needed("node", "nodejs"));
        sim::isolate(&mut command, home.path()).arg(format!("{SOURCES}/oidc-provider/server.mjs"));
        command.arg(prepared("oidc-provider")).stdin(Stdio::null()).stdout(Stdio::piped());
        let process = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut provider = Provider { process, log, issuer: String::new() };
        let mut ready = String::new();
        BufReader::new(provider.process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: Value = serde_json::from_str(&ready).expect("it prints its address");
        provider.issuer = ready["issuer"].as_str().unwrap().to_owned();
        provider
    }

    /// Dex, configured by `tests/providers/dex/config.yaml`, with user codes that expire after so many seconds.
    pub fn dex(home: &Home, codes: u32) -> Provider {
        let (program, log) = (prepared("dex"), home.path().join("dex.log"));
        let template = fs::read_to_string(format!("{SOURCES}/dex/config.yaml")).unwrap();
        // It needs a port number, and another process may take that port first: then Dex exits and is started again.
        for _ in 0..3 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let issuer = format!("http://{address}/dex");
            let config = template.replace("ISSUER", &issuer).replace("ADDRESS", &address.to_string());
            let config = home.write("dex.yaml", &config.replace("CODES", &format!("{codes}s")));
            let mut command = Command::new(&program);
            sim::isolate(&mut command, home.path()).arg("serve").arg(config).stdin(Stdio::null()).stdout(Stdio::null());
            let process = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
            let mut provider = Provider { process, log: log.clone(), issuer };
            if provider.is_listening(address) {
                return provider;
            }
        }
        panic!("Dex does not start:\n{}", fs::read_to_string(log).unwrap());
    }

    /// Waits until the provider accepts connections; false if it has exited.
    fn is_listening(&mut self, address: SocketAddr) -> bool {
        let mut has_ended = || self.process.try_wait().unwrap().is_some();
        wait_until("Dex listens or has exited", || TcpStream::connect(address).is_ok() || has_ended());
        // If it has exited, another process is listening there.
        self.process.try_wait().unwrap().is_none()
    }
}

/// The file that `tests/providers/prepare` made with this name.
#[track_caller]
fn prepared(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("providers").join(name);
    assert!(path.exists(), "this test needs {name}: run tests/providers/prepare");
    path
}
