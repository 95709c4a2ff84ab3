//! The async runtime: made where the network is needed and not before, since a warm call needs none.

use std::future::Future;

use crate::error::{Error, Kind, Result};

/// Runs `work` to its end on this thread.
///
/// Errors: the system gives no resources for it.
pub fn run<T>(work: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Error::failed(format!("the system gives no resources: {error}"), "Close other programs, then try again.")
    })?;
    let outcome = runtime.block_on(work);
    // A name look-up that hangs runs on a thread; dropping the runtime would wait for it beyond every deadline.
    runtime.shutdown_background();
    Ok(outcome)
}

/// Like [`run`], for work that may be left where it is when somebody presses Ctrl-C. (Once a sign-in has listened for
/// signals, they end nothing by themselves any more.)
///
/// Errors: the system gives no resources, or somebody has ended it.
pub fn run_until_interrupted<T>(work: impl Future<Output = T>) -> Result<T> {
    run(async {
        tokio::select! {
            biased;
            kind = interrupted() => Err(Error::new(kind, "interrupted", "Run the command again.")),
            outcome = work => Ok(outcome),
        }
    })?
}

/// Ends when somebody presses Ctrl-C or ends this process politely: with what that means.
#[cfg(unix)]
pub async fn interrupted() -> Kind {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Kind::Interrupted,
        _ = terminate.recv() => Kind::Terminated,
        _ = hangup.recv() => Kind::Terminated,
    }
}

/// Ends when somebody presses Ctrl-C: with what that means.
#[cfg(not(unix))]
pub async fn interrupted() -> Kind {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Kind::Interrupted,
        Err(_) => std::future::pending().await,
    }
}
