//! A test's own network: no other process uses its ports, and the loopback interface can be changed.

use std::process::Command;

use crate::common::needed;

/// Tells the test process which network it is in.
const INSIDE: &str = "SIM_OWN_NETWORK";

/// Runs the body of a test in its own network namespace, which has only a loopback interface. `setup` has lines for
/// `ip -batch` that change it. The body has to be a closure of the test function, because the test is started again in
/// another process.
#[track_caller]
pub fn in_own_network<T: FnOnce()>(setup: &str, body: T) {
    // The names of the crate, the test, and the closure.
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
    assert!(passed, "in its own network:\n{stdout}\n{stderr}");
}
