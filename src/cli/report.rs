//! What goes to the terminal from commands: results on stdout, errors and logs on stderr.

use std::io::{self, Write as _};
use std::process::ExitCode;

use kubectl_login::error::{Error, Result};
use kubectl_login::session::Failed;

/// Says an error in its halves, unless this caller has heard it before, and gives the exit code.
pub(super) fn failure(failed: &Failed) -> ExitCode {
    if !failed.silent {
        // With stderr gone there is nobody to tell; the exit code still does.
        let _ = io::stderr().lock().write_all(text(&failed.error).as_bytes());
    }
    ExitCode::from(failed.error.kind.exit_code())
}

fn text(error: &Error) -> String {
    let mut text = format!("Error: {}\n", error.what);
    for (at, line) in error.next.lines().enumerate() {
        text += &format!("{}{line}\n", if at == 0 { "Next:  " } else { "       " });
    }
    if let Some(reference) = &error.reference {
        text += &format!("For the help desk: {reference}\n");
    }
    text
}

/// Help and version go to stdout; what is wrong with a command line goes to stderr, with exit 2.
pub(super) fn command_line(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// Prints one line of a command's result.
pub(super) fn line(text: &str) -> Result<()> {
    print(&format!("{text}\n"))
}

/// Prints a command's result. A reader that has gone away is no error.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::failed(format!("the result cannot be printed: {error}"), "Check where stdout goes."))
        }
        _ => Ok(()),
    }
}

/// Logs to stderr from level 1 on; nothing is set up without it. Only our own events: libraries may log more than
/// should be seen.
pub(super) fn start_logging(level: Option<u8>) {
    let level = match level.unwrap_or(0) {
        0 => return,
        1..5 => tracing_subscriber::filter::LevelFilter::INFO,
        _ => tracing_subscriber::filter::LevelFilter::DEBUG,
    };
    use tracing_subscriber::layer::SubscriberExt as _;
    let ours = tracing_subscriber::filter::filter_fn(|event| event.target().starts_with("kubectl_login"));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    let subscriber = tracing_subscriber::registry().with(level).with(ours).with(lines);
    // Only a second call could fail, and there is none.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_next_step_on_a_line_of_its_own() {
        let error = Error::failed("it broke", "mend it\nor ask").with_reference(Some("AADSTS1".to_owned()));
        assert_eq!(text(&error), "Error: it broke\nNext:  mend it\n       or ask\nFor the help desk: AADSTS1\n");
    }
}
