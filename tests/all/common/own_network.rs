//! A network of a test's own: ports that nobody else has, and a loopback interface without this or that.

use std::process::Command;

use crate::common::needed;

/// Says to the test which network it is in.
const INSIDE: &str = "SIM_OWN_NETWORK";

/// Runs the body of a test, which has to be a closure of that test itself, where there is nothing but a loopback interface, changed by `setup`: lines
/// for `ip -batch`. The test is started anew for that, as another process.
#[track_caller]
pub fn in_own_network<T: FnOnce()>(setup: &str, body: T) {
    // The crate's name, the test's, and the closure's.
    let names = std::any::type_name::<T>();
    let (_, test) = names.trim_end_matches("::{{closure}}").split_once("::").unwrap();
    if std::env::var(INSIDE).is_ok_and(|inside| inside == test) {
        return body();
    }
    needed("ip", "iproute2");
    let separate = ["--user", "--map-root-user", "--net"];
    let probe = Command::new(needed("unshare", "util-linux")).args(separate).arg("true").output();
    assert!(
        probe.is_ok_and(|output| output.status.success()),
        "user and network namespaces are needed: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    );
    let mut inside = Command::new("unshare");
    inside.args(separate).args(["sh", "-ec", "printf '%s' \"$1\" | ip -batch -; shift; exec \"$@\"", "sh"]);
    inside.arg(format!("link set lo up\n{setup}\n")).arg(std::env::current_exe().unwrap());
    let output = inside.args(["--exact", test, "--nocapture"]).env(INSIDE, test).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = output.status.success() && stdout.contains("1 passed");
    assert!(passed, "in a network of its own:\n{stdout}\n{stderr}");
}
