//! Flags, names and times that many tests use.

use std::time::Duration;

/// Prompts for a sign-in even without a terminal.
pub const ALWAYS: [&str; 2] = ["--prompt", "always"];
/// Never prompts.
pub const NEVER: [&str; 2] = ["--prompt", "never"];
/// Prints one JSON object on stdout.
pub const JSON: [&str; 2] = ["-o", "json"];

/// Shell code that simulates a full disk: not even the first byte of a file can be written.
pub const FULL_DISK: &str = "trap '' XFSZ; ulimit -f 0";

/// The versions of the client authentication API.
pub const V1: &str = "client.authentication.k8s.io/v1";
pub const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// `get-token` for the Entra-shaped tenant with the required flags only, for any authority.
pub const AKS: [&str; 7] =
    ["get-token", "--server-id", sim::SERVER, "--client-id", sim::CLIENT, "--tenant-id", sim::TENANT];

/// Seconds until a token expires: fewer than the five minutes from which it is refreshed early, and more than the half
/// minute in which it has to be refreshed.
pub const EXPIRES_SOON: i64 = 120;
/// Seconds until a token expires, so few that it has to be refreshed.
pub const ALMOST_EXPIRED: i64 = 20;

/// A timeout against tests that hang: longer than anything takes on a busy machine.
pub const HANG: Duration = Duration::from_secs(90);
/// The tolerance between two clocks: a server that notes the time of a request, and the plugin.
pub const LENIENCE: Duration = Duration::from_millis(200);
