//! Whether the system still gives file descriptors and threads, asked before libraries are used that panic without.

use std::io;
use std::sync::mpsc;
use std::thread;

/// tokio's driver takes five descriptors and a connection two; the Secret Service client needs fewer.
#[cfg(unix)]
const DESCRIPTORS: usize = 8;
/// The Secret Service client starts three threads; tokio looks up names on one.
const THREADS: usize = 3;

/// Checks that the descriptors and threads for a runtime or a keyring client can be had.
///
/// Errors: the system's own, such as "Too many open files".
pub fn check() -> io::Result<()> {
    #[cfg(unix)]
    check_descriptors()?;
    check_threads()
}

#[cfg(unix)]
fn check_descriptors() -> io::Result<()> {
    let spare = (0..DESCRIPTORS).map(|_| rustix::io::fcntl_dupfd_cloexec(io::stderr(), 0));
    Ok(spare.collect::<Result<Vec<_>, _>>().map(drop)?)
}

/// All of them are there at once; each ends when its sender is dropped.
fn check_threads() -> io::Result<()> {
    thread::scope(|scope| {
        let mut held = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let (sender, receiver) = mpsc::channel::<()>();
            thread::Builder::new().spawn_scoped(scope, move || receiver.recv())?;
            held.push(sender);
        }
        Ok(())
    })
}
