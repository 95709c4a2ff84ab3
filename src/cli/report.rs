//! What goes to the terminal from commands: results on stdout, errors, warnings and logs on stderr.

use std::io::{self, Write as _};
use std::process::ExitCode;

use kubectl_login::environment::Environment;
use kubectl_login::error::{Error, Result};
use kubectl_login::session::Failed;

use crate::ui::style::{self, Style, paint};

/// Says an error in its halves, unless this caller has heard it before, and gives the exit code.
pub(super) fn failure(failed: &Failed) -> ExitCode {
    if !failed.silent {
        complain(&error_text(&failed.error, colours(&io::stderr())));
    }
    ExitCode::from(failed.error.kind.exit_code())
}

/// Says what went wrong without ending the command, and what can be done about it.
#[allow(dead_code, reason = "for commands that go on after trouble")]
pub(super) fn warning(what: &str, next: Option<&str>) {
    complain(&warning_text(what, next, colours(&io::stderr())));
}

/// Help and version, which are no errors and go to stdout.
pub(super) fn help(text: &clap::builder::StyledStr) -> Result<()> {
    if colours(&io::stdout()) { print(&text.ansi().to_string()) } else { print(&text.to_string()) }
}

fn error_text(error: &Error, colours: bool) -> String {
    let mut text = format!("{} {}\n", paint(colours, Style::Error, "Error:"), error.what);
    text += &next_text(&error.next, colours);
    if let Some(reference) = &error.reference {
        text += &format!("For the help desk: {reference}\n");
    }
    text
}

fn warning_text(what: &str, next: Option<&str>, colours: bool) -> String {
    let warning = format!("{} {what}\n", paint(colours, Style::Warning, "Warning:"));
    warning + &next.map(|next| next_text(next, colours)).unwrap_or_default()
}

/// One step a line, each below the first.
fn next_text(next: &str, colours: bool) -> String {
    let label = paint(colours, Style::Next, "Next:");
    let lines = next.lines().enumerate();
    lines.map(|(at, line)| if at == 0 { format!("{label}  {line}\n") } else { format!("       {line}\n") }).collect()
}

fn complain(text: &str) {
    // With stderr gone there is nobody to tell; the exit code still does.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// The process's own environment decides, not a kubeconfig entry's: the terminal is the process's.
fn colours(stream: &impl io::IsTerminal) -> bool {
    style::enabled(stream.is_terminal(), &Environment::of_process())
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
        assert_eq!(
            error_text(&error, false),
            "Error: it broke\nNext:  mend it\n       or ask\nFor the help desk: AADSTS1\n"
        );
    }

    #[test]
    fn a_warning_need_not_have_a_next_step() {
        assert_eq!(warning_text("it is odd", None, false), "Warning: it is odd\n");
        assert_eq!(warning_text("it is odd", Some("Look."), false), "Warning: it is odd\nNext:  Look.\n");
    }

    #[test]
    fn colour_is_on_the_labels_alone() {
        let error = Error::failed("it broke", "mend it");
        assert_eq!(error_text(&error, true), "\x1b[1;31mError:\x1b[0m it broke\n\x1b[36mNext:\x1b[0m  mend it\n");
        assert!(warning_text("it is odd", None, true).starts_with("\x1b[1;33mWarning:\x1b[0m it"));
    }
}
