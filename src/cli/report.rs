//! The output of commands: results on stdout; errors, warnings and logs on stderr.

use std::io::{self, Write as _};
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use kubectl_login::environment::Environment;
use kubectl_login::messages::token::in_units;
use kubectl_login::messages::{ErrorMessage, Result, command};
use kubectl_login::session::repeats::Repeat;
use kubectl_login_core::clock;
use kubectl_login_core::text::{json_without_controls, without_controls};
use serde::Serialize;

use crate::ui::style::{self, Emphasis, paint};
use crate::ui::timed_write::{FINAL_WRITE_TIMEOUT, write_within};
use crate::ui::wrap::{self, wrapped};

/// Prints an error, and returns the exit code.
pub(super) fn failure(error: &ErrorMessage) -> ExitCode {
    complain(&error_text(error, TextStyle::for_stderr()));
    ExitCode::from(error.kind.exit_code())
}

/// Prints in one line an error that was shown to the caller in full a moment ago, and returns the exit code.
pub(super) fn repeated(error: &ErrorMessage, repeat: Repeat) -> ExitCode {
    complain(&repeated_text(error, repeat, TextStyle::for_stderr()));
    ExitCode::from(error.kind.exit_code())
}

/// Prints a warning, and what to do about it.
pub(super) fn warning(what: &str, next: Option<&str>) {
    complain(&warning_text(what, next, TextStyle::for_stderr()));
}

/// Prints an error as a warning, with its line for the help desk.
pub(super) fn warn(error: &ErrorMessage) {
    let style = TextStyle::for_stderr();
    complain(&(warning_text(&error.what, Some(&error.next), style) + &help_desk_text(error)));
}

/// Prints a line on stderr that is neither a result nor a warning.
pub(super) fn note(text: &str) {
    complain(&format!("{text}\n"));
}

/// Help and version, which are not errors and go to stdout.
pub(super) fn help(text: &clap::builder::StyledStr) -> Result<()> {
    if colours(&io::stdout()) { print(&text.ansi().to_string()) } else { print(&text.to_string()) }
}

/// How text is formatted: with or without colours, and the columns to wrap at, if it is wrapped.
#[derive(Clone, Copy, Default)]
struct TextStyle {
    colours: bool,
    columns: Option<usize>,
}

impl TextStyle {
    fn for_stderr() -> TextStyle {
        TextStyle { colours: colours(&io::stderr()), columns: wrap::columns(&io::stderr()) }
    }
}

fn error_text(error: &ErrorMessage, style: TextStyle) -> String {
    labelled("Error:", Emphasis::Error, &error.what, style) + &next_text(&error.next, style) + &help_desk_text(error)
}

fn repeated_text(error: &ErrorMessage, repeat: Repeat, style: TextStyle) -> String {
    let what = error.what.lines().next().unwrap_or_default();
    let age = in_units(repeat.age);
    let when = match repeat.retry_in {
        Some(left) => format!("{age} ago; not tried again for {}", in_units(left)),
        None => format!("the same as {age} ago"),
    };
    labelled("Error:", Emphasis::Error, &format!("{what} ({when})"), style)
}

fn help_desk_text(error: &ErrorMessage) -> String {
    error.reference.as_ref().map(|reference| format!("For the help desk: {reference}\n")).unwrap_or_default()
}

fn warning_text(what: &str, next: Option<&str>, style: TextStyle) -> String {
    let next = next.map(|next| next_text(next, style));
    labelled("Warning:", Emphasis::Warning, what, style) + &next.unwrap_or_default()
}

/// The next steps, one per line.
fn next_text(next: &str, style: TextStyle) -> String {
    labelled("Next: ", Emphasis::Next, next, style)
}

/// A label, and lines beside and below it.
fn labelled(label: &str, emphasis: Emphasis, text: &str, style: TextStyle) -> String {
    let indent = label.len() + 1;
    let plain =
        format!("{label} {}", without_controls(text).trim_end().replace('\n', &format!("\n{}", " ".repeat(indent))));
    let set = wrapped(&plain, indent, style.columns);
    format!("{}{}\n", paint(style.colours, emphasis, label.trim_end()), &set[label.trim_end().len()..])
}

fn complain(text: &str) {
    // If stderr is closed, nothing can be shown; there is still the exit code.
    let _ = write_within(clock::limit(FINAL_WRITE_TIMEOUT), Box::new(io::stderr()), text.to_owned());
}

/// The process's own environment decides, not a kubeconfig entry's: the terminal is the process's.
fn colours(stream: &impl io::IsTerminal) -> bool {
    style::enabled(stream.is_terminal(), &Environment::from_process())
}

/// Prints a sentence for people.
pub(super) fn sentence(text: &str) -> Result<()> {
    line(&wrapped(&without_controls(text), 0, wrap::columns(&io::stdout())))
}

/// Prints a success, with the beginning in colour. Both parts have to be printable.
pub(super) fn done(beginning: &str, rest: &str) -> Result<()> {
    let beginning = paint(colours(&io::stdout()), Emphasis::Good, beginning);
    line(&wrapped(&format!("{beginning}{rest}"), 0, wrap::columns(&io::stdout())))
}

/// Prints a JSON object on one line, piece by piece: it may contain a hundred thousand groups. Control characters are written
/// as escapes of JSON.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let mut serializer = serde_json::Serializer::with_formatter(&mut stdout, WithoutControls);
    let written = value.serialize(&mut serializer).map_err(io::Error::from);
    printed(written.and_then(|()| writeln!(stdout)).and_then(|()| stdout.flush()))
}

/// Prints an object as YAML, without control characters.
///
/// Errors: it cannot be printed.
pub(super) fn yaml(value: &impl Serialize) -> Result<()> {
    let text = serde_saphyr::to_string(value).map_err(|error| command::not_yaml(&error))?;
    print(&without_controls(&text))
}

/// A time for programs: RFC 3339 in UTC, whole seconds.
pub(super) fn seconds<S: serde::Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// Compact JSON without control and invisible characters.
struct WithoutControls;

impl serde_json::ser::Formatter for WithoutControls {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        writer.write_all(json_without_controls(fragment).as_bytes())
    }
}

/// Prints one line of a command's result.
pub(super) fn line(text: &str) -> Result<()> {
    print(&format!("{text}\n"))
}

/// Prints a command's result. A reader that has gone away is not an error.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    printed(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

fn printed(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(command::not_printed(&error)),
        _ => Ok(()),
    }
}

/// Starts logging to stderr if the level is 1 or more. Only this program's events are logged: libraries may log secrets.
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
    use chrono::TimeDelta;

    use super::*;

    const PLAIN: TextStyle = TextStyle { colours: false, columns: None };

    #[test]
    fn an_error_has_its_next_step_on_a_line_of_its_own() {
        let error = ErrorMessage::failed("it broke", "mend it\nor ask").with_reference(Some("AADSTS1".to_owned()));
        assert_eq!(
            error_text(&error, PLAIN),
            "Error: it broke\nNext:  mend it\n       or ask\nFor the help desk: AADSTS1\n"
        );
    }

    #[test]
    fn repeated_error_is_one_line_with_its_age() {
        let error = ErrorMessage::failed("it broke", "mend it\nor ask").with_reference(Some("AADSTS1".to_owned()));
        let repeat = Repeat { age: TimeDelta::seconds(12), retry_in: Some(TimeDelta::seconds(18)), is_later: true };
        assert_eq!(repeated_text(&error, repeat, PLAIN), "Error: it broke (12 s ago; not tried again for 18 s)\n");
        let repeat = Repeat { retry_in: None, ..repeat };
        assert_eq!(repeated_text(&error, repeat, PLAIN), "Error: it broke (the same as 12 s ago)\n");
    }

    #[test]
    fn a_warning_need_not_have_a_next_step() {
        assert_eq!(warning_text("it is odd", None, PLAIN), "Warning: it is odd\n");
        assert_eq!(warning_text("it is odd", Some("TextStyle."), PLAIN), "Warning: it is odd\nNext:  TextStyle.\n");
    }

    #[test]
    fn colour_is_on_the_labels_alone() {
        let error = ErrorMessage::failed("it broke", "mend it");
        let style = TextStyle { colours: true, columns: Some(80) };
        assert_eq!(error_text(&error, style), "\x1b[1;31mError:\x1b[0m it broke\n\x1b[36mNext:\x1b[0m  mend it\n");
        assert!(warning_text("it is odd", None, style).starts_with("\x1b[1;33mWarning:\x1b[0m it"));
    }

    #[test]
    fn a_narrow_terminal_breaks_between_words_and_below_the_label() {
        let style = TextStyle { colours: false, columns: Some(40) };
        let error = ErrorMessage::failed(
            "the issuer cannot be reached just now",
            "Check the network and the proxy, then ask\nor wait",
        );
        assert_eq!(
            error_text(&error, style),
            "Error: the issuer cannot be reached just\n       now\nNext:  Check the network and the proxy,\n       then ask\n       or wait\n"
        );
    }
}
