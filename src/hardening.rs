//! What the process asks of the system before it does anything else: its memory stays its own, and a limit on files
//! does not kill it before a token is printed.

use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use kubectl_login_core::clock;
use kubectl_login_core::error::{Error, Result};

/// The end of the year 9999. kubectl cannot read a later expiry, and date arithmetic may leave the calendar.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// Protects this process. If the system refuses one of these, the process is as it was and can go on.
pub(crate) fn apply() {
    #[cfg(unix)]
    {
        keep_memory_private();
        survive_file_size_limit();
    }
}

/// A core dump would hold refresh tokens. Only the soft limit is set, so that a browser can raise its own again.
#[cfg(unix)]
fn keep_memory_private() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = Rlimit { current: Some(0), ..getrlimit(Resource::Core) };
    let _ = setrlimit(Resource::Core, limit);
    // The limit does not count where a core dump goes to a program (core(5)). This also keeps debuggers of the same
    // user out; it ends with exec, so children are not affected.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// With SIGXFSZ blocked a write beyond `ulimit -f` fails with EFBIG, which callers handle like a full disk. Threads
/// inherit this, and std gives children an empty mask.
#[cfg(unix)]
fn survive_file_size_limit() {
    use nix::sys::signal::{SigSet, Signal};
    let _ = SigSet::from_iter([Signal::SIGXFSZ]).thread_block();
}

/// What the clock shows, if dates can be calculated with it.
///
/// Errors: it is before 1970 or after 9999. TLS and date libraries panic there.
pub(crate) fn read_clock() -> Result<DateTime<Utc>> {
    let now = clock::system();
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) if since <= LATEST => Ok(now.into()),
        outcome => {
            let when = if outcome.is_ok() { "after the year 9999" } else { "before the year 1970" };
            Err(Error::failed(
                format!("this machine's clock shows a date {when}"),
                "Set date and time, then run the command again.",
            ))
        }
    }
}
