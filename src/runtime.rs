//! The async runtime: one per process, made when the network is first needed. A warm call never makes one.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use serde::{Deserialize, Serialize};

use crate::resources;
use kubectl_login_core::error::IoFailure;

/// Why async work was not done, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimeError {
    /// The system has no file descriptors or threads left.
    #[error("the system gives no resources")]
    NoResources(#[source] IoFailure),
    /// The process was interrupted or terminated.
    #[error("interrupted")]
    Stopped(StopSignal),
}

/// A signal that means the end of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopSignal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM or SIGHUP.
    Terminate,
}

/// The runtime of this process. It is never dropped: that would wait for a name look-up that hangs on a thread, beyond
/// every deadline.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// What has told this process to stop, once it listens for that.
static STOPPED_BY: OnceLock<watch::Receiver<Option<StopSignal>>> = OnceLock::new();

fn runtime() -> Result<&'static Runtime, RuntimeError> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let failed = |error: std::io::Error| RuntimeError::NoResources(error.into());
    // Building a runtime panics if its signal handler gets no descriptor.
    resources::check().map_err(failed)?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// Runs `work` to its end on this thread.
///
/// Errors: the system is out of file descriptors or threads.
pub fn run<T>(work: impl Future<Output = T>) -> Result<T, RuntimeError> {
    let runtime = runtime()?;
    // A name look-up panics if it cannot start a thread.
    resources::check().map_err(|error| RuntimeError::NoResources(error.into()))?;
    Ok(runtime.block_on(async {
        let outcome = work.await;
        // Runs the tasks that were aborted a last time, so that their sockets close now and not when the process ends.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        outcome
    }))
}

/// Like [`run`], for work that may be abandoned when the process is interrupted or terminated. (Once a process has listened
/// for signals, they no longer end it by themselves.)
///
/// Errors: the system is out of file descriptors or threads, or the process was interrupted or terminated.
pub fn run_until_interrupted<T>(work: impl Future<Output = T>) -> Result<T, RuntimeError> {
    run(async {
        let interrupted = interrupted();
        tokio::select! {
            biased;
            // A response that has arrived is processed first: it may contain a new refresh token.
            outcome = work => Ok(outcome),
            signal = interrupted => Err(RuntimeError::Stopped(signal)),
        }
    })?
}

/// Whether this process was interrupted or terminated, for code that is not async: between two tries at a lock, say. From
/// the first call on, signals no longer end the process by themselves.
///
/// Errors: it was, or the system is out of file descriptors or threads.
pub fn check_interrupted() -> Result<(), RuntimeError> {
    // A signal is only noticed while the runtime runs.
    let look = async { tokio::time::timeout(Duration::from_millis(1), interrupted()).await };
    runtime()?.block_on(look).map_or(Ok(()), |signal| Err(RuntimeError::Stopped(signal)))
}

/// Completes when this process is interrupted (Ctrl-C) or terminated, with which of the two; at once if it was already. It
/// has to be called within [`run`]. From the first call on, no signal is missed.
pub fn interrupted() -> impl Future<Output = StopSignal> {
    let mut stopped_by = STOPPED_BY.get_or_init(listen).clone();
    async move {
        match stopped_by.wait_for(Option::is_some).await.map(|kind| *kind) {
            Ok(Some(kind)) => kind,
            // Without handlers, signals end the process by themselves.
            _ => std::future::pending().await,
        }
    }
}

/// Installs the signal handlers, and a task that waits for the first signal.
fn listen() -> watch::Receiver<Option<StopSignal>> {
    let (sender, receiver) = watch::channel(None);
    if let Some(signal) = first_signal() {
        tokio::spawn(async move { sender.send(Some(signal.await)) });
    }
    receiver
}

/// The first of the signals that mean the end of this process; `None` if they cannot be handled.
#[cfg(unix)]
fn first_signal() -> Option<impl Future<Output = StopSignal>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).ok()?;
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    let mut hangup = signal(SignalKind::hangup()).ok()?;
    Some(async move {
        tokio::select! {
            _ = interrupt.recv() => StopSignal::Interrupt,
            _ = terminate.recv() => StopSignal::Terminate,
            _ = hangup.recv() => StopSignal::Terminate,
        }
    })
}

/// Ctrl-C; `None` if it cannot be handled.
#[cfg(not(unix))]
fn first_signal() -> Option<impl Future<Output = StopSignal>> {
    let mut ctrl_c = tokio::signal::windows::ctrl_c().ok()?;
    Some(async move {
        ctrl_c.recv().await;
        StopSignal::Interrupt
    })
}
