//! Shared by all black-box tests: a home directory, the built binary, and its output.

pub mod browser;
pub mod chromium;
pub mod clock;
pub mod constants;
pub mod files;
pub mod home;
pub mod https;
pub mod keyring;
pub mod kubectl;
pub mod own_network;
pub mod page;
pub mod picture;
pub mod programs;
pub mod provider;
pub mod remote_browser;
pub mod run;
pub mod scripted;
pub mod shell;
pub mod sign_in;
pub mod snapshot;
pub mod socks;
pub mod tmux;
pub mod tunnel;
pub mod waiting;

use std::net::Ipv4Addr;

use serde_json::Value;
use tokio::net::TcpSocket;

pub use constants::{AKS, ALMOST_EXPIRED, ALWAYS, EXPIRES_SOON, FULL_DISK, HANG, JSON, LENIENCE, NEVER, V1, V1BETA1};
pub use files::{all_below, text};
#[cfg(unix)]
pub use files::{mode, set_mode};
pub use home::Home;
pub use programs::needed;
pub use run::Run;
pub use sign_in::{entra, entra_at, kubeconfig, oidc, signed_in};
pub use waiting::until;

/// The built plugin.
pub const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-login");

/// The claims of a JWT, unverified.
pub fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Runs a test body for several items in parallel, because most of a sign-in is waiting.
pub fn in_parallel<T: Send>(items: impl IntoIterator<Item = T>, body: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for item in items {
            scope.spawn(|| body(item));
        }
    });
}

/// Runs a future to completion.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A port of 127.0.0.1 without a listener. No other process can use it while the socket exists.
pub fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// Whether this test can change users and mounts. CI runs as root; otherwise the test prints that it is skipped.
#[cfg(unix)]
pub fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        use std::io::Write as _;
        // Directly, because the test harness would capture it.
        let _ = writeln!(std::io::stderr(), "skipped: this test needs root");
    }
    is_root
}
