//! Words and times that many tests use.

use std::time::Duration;

/// Sign-ins are asked for, terminal or not.
pub const ALWAYS: [&str; 2] = ["--prompt", "always"];
/// Nobody is asked.
pub const NEVER: [&str; 2] = ["--prompt", "never"];
/// One object for programs, on stdout.
pub const JSON: [&str; 2] = ["-o", "json"];

/// A shell's words for a disk that is full before the first byte of any file.
pub const FULL_DISK: &str = "trap '' XFSZ; ulimit -f 0";

/// The versions of the client authentication API.
pub const V1: &str = "client.authentication.k8s.io/v1";
pub const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// `get-token` for the Entra-shaped tenant with the flags that none can do without, wherever it is asked.
pub const AKS: [&str; 7] =
    ["get-token", "--server-id", sim::SERVER, "--client-id", sim::CLIENT, "--tenant-id", sim::TENANT];

/// Seconds that are left of a token: less than the margin of five minutes, more than the half minute in which a refresh
/// is needed.
pub const ENDING: i64 = 120;
/// Seconds that are left of a token that is as good as over.
pub const OVER: i64 = 20;

/// A guard against tests that never end: longer than anything takes on a busy machine.
pub const HANG: Duration = Duration::from_secs(90);
/// By how much two clocks may differ: the one of a server that notes when it was asked, and the plugin's.
pub const LENIENCE: Duration = Duration::from_millis(200);
