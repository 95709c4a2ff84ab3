//! The async runtime: made where the network is needed and not before, since a warm call needs none.

use std::future::Future;
use std::time::Duration;

use crate::resources;
use kubectl_login_core::error::{Error, Kind, Result};

/// Runs `work` to its end on this thread.
///
/// Errors: the system gives no resources for it.
pub fn run<T>(work: impl Future<Output = T>) -> Result<T> {
    let build = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    // Building one panics without descriptors for its signal handler, and a name look-up without a thread.
    let runtime = resources::check().and_then(|()| build()).map_err(|error| {
        Error::failed(
            format!("the system gives no resources: {error}"),
            "Close other programs, or raise the limits of this shell (ulimit -n, ulimit -u), then try again.",
        )
    })?;
    let outcome = runtime.block_on(work);
    // A name look-up that hangs runs on a thread; dropping the runtime would wait for it beyond every deadline.
    runtime.shutdown_background();
    Ok(outcome)
}

/// Like [`run`], for work that may be left where it is when somebody presses Ctrl-C. (Once this process has listened for
/// signals, they end nothing by themselves any more.)
///
/// Errors: the system gives no resources, or somebody has ended it.
pub fn run_until_interrupted<T>(work: impl Future<Output = T>) -> Result<T> {
    run(async {
        let interrupted = interrupted();
        tokio::select! {
            biased;
            // An answer that has come is taken in before anything else: there may be a new refresh token in it.
            outcome = work => Ok(outcome),
            kind = interrupted => Err(ended(kind)),
        }
    })?
}

/// Whether somebody has ended this process where it does not run anything async: between two tries at a lock, say. From the
/// first call on, signals end nothing by themselves any more.
///
/// Errors: they have.
pub fn check_interrupted() -> Result<()> {
    run(async {
        let interrupted = interrupted();
        // A signal waits in the system's hands until a runtime asks for it.
        tokio::time::timeout(Duration::from_millis(1), interrupted).await
    })?
    .map_or(Ok(()), |kind| Err(ended(kind)))
}

fn ended(kind: Kind) -> Error {
    Error::new(kind, "interrupted", "Run the command again.")
}

/// Ends when somebody presses Ctrl-C or ends this process politely: with what that means. From the call on, no signal is
/// missed; it has to be made within [`run`].
#[cfg(unix)]
pub fn interrupted() -> impl Future<Output = Kind> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    async move {
        let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else {
            // Without handlers the signals end the process by themselves.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => Kind::Interrupted,
            _ = terminate.recv() => Kind::Terminated,
            _ = hangup.recv() => Kind::Terminated,
        }
    }
}

/// Ends when somebody presses Ctrl-C: with what that means. From the call on, none is missed; it has to be made within
/// [`run`].
#[cfg(not(unix))]
pub fn interrupted() -> impl Future<Output = Kind> {
    let ctrl_c = tokio::signal::windows::ctrl_c();
    async move {
        match ctrl_c {
            Ok(mut ctrl_c) => {
                ctrl_c.recv().await;
                Kind::Interrupted
            }
            Err(_) => std::future::pending().await,
        }
    }
}
