//! Protects the process before it does anything else: other programs cannot read its memory, and a limit on file sizes does
//! not kill it before a token is printed.

/// Protects this process. If the system refuses one of the protections, the process goes on without it.
pub(crate) fn apply() {
    #[cfg(unix)]
    {
        keep_memory_private();
        survive_file_size_limit();
    }
}

/// A core dump would contain refresh tokens. Only the soft limit is set, so that a browser can raise its own again.
#[cfg(unix)]
fn keep_memory_private() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = Rlimit { current: Some(0), ..getrlimit(Resource::Core) };
    let _ = setrlimit(Resource::Core, limit);
    // The limit does not apply if core dumps are piped to a program (core(5)). This also keeps out debuggers of the same
    // user; it ends with exec, so children are not affected.
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
