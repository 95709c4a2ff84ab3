//! Whether and how a user can be prompted, and what is shown.

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use kubectl_login::environment::Environment;
use kubectl_login::failure::{NoBrowser, NoPrompt, PromptError};
use kubectl_login::profile::{Method, Profile};
use kubectl_login::signin::{
    CodePrompt, Interactivity, Lines, Notice, PagePrompt, Person, PromptReason, Question, WayBack,
};
use kubectl_login_core::clock;
use kubectl_login_core::text::without_controls;
use url::Url;

use super::InputSource;
use super::browser::{self, Opened};
use super::countdown::{CLEAR_LINE, Countdown};
use super::keyboard::{self, Keyboard, is_in_front};
use super::notice;
use super::prompt::{self, PromptSubject};
use super::style::{Emphasis, paint};
use super::target::SignInTarget;
use super::terminal_features::TerminalFeatures;
use super::timed_write::{WRITE_TIMEOUT, write_within};
use super::wrap::wrapped;

/// Whether a user may be prompted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PromptMode {
    /// If there is a terminal and no CI variable is set
    Auto,
    /// Always, on stderr
    Always,
    /// Never
    Never,
}

/// How long a browser is watched if the page is the only prompt.
const UNSEEN: Duration = Duration::from_secs(2);

/// The user of this process, if one can be prompted.
pub(crate) struct Terminal<'a> {
    prompt: PromptMode,
    profile: &'a Profile,
    /// Cluster or context, if known.
    target: Option<SignInTarget>,
    /// The arguments that lead `kubectl login` to it.
    words: &'a dyn Fn() -> String,
    environment: &'a Environment,
    /// Determined when it is first needed: a warm call never prompts.
    channel: OnceCell<Channel>,
    /// Runs during a prompt.
    countdown: RefCell<Option<Countdown>>,
    /// Reads during a prompt that takes input.
    keyboard: RefCell<Option<Keyboard>>,
}

/// How text reaches the user.
enum Channel {
    Stderr,
    /// The controlling terminal: stderr goes somewhere else.
    Controlling(File),
    /// Text does not, but a browser can be opened.
    DesktopOnly,
    /// Not at all.
    None(NoPrompt),
}

impl<'a> Terminal<'a> {
    pub(crate) fn new(
        prompt: PromptMode,
        profile: &'a Profile,
        target: Option<SignInTarget>,
        environment: &'a Environment,
    ) -> Self {
        Terminal {
            prompt,
            profile,
            target,
            words: &String::new,
            environment,
            channel: OnceCell::new(),
            countdown: RefCell::default(),
            keyboard: RefCell::default(),
        }
    }

    /// Confirms a sign-in to a user who was prompted. The beginning may be coloured; both parts have to be printable.
    pub(crate) fn confirm(&self, beginning: &str, rest: &str) {
        let colour = self.screen().is_some_and(|screen| screen.colour);
        self.put(&format!("{}{rest}", paint(colour, Emphasis::Good, beginning)));
    }

    fn channel(&self) -> &Channel {
        self.channel.get_or_init(|| match self.prompt {
            PromptMode::Always => Channel::Stderr,
            PromptMode::Never => Channel::None(NoPrompt::SwitchedOff),
            PromptMode::Auto => match self.environment.ci() {
                Some(variable) => Channel::None(NoPrompt::Ci(variable.to_owned())),
                None if io::stderr().is_terminal() && !keyboard::is_raw(io::stderr()) => Channel::Stderr,
                None => match controlling_terminal() {
                    Some(terminal) if !keyboard::is_raw(&terminal) => Channel::Controlling(terminal),
                    Some(_) if !self.has_desktop() || self.lacks_a_browser().is_some() => {
                        Channel::None(NoPrompt::TerminalTaken)
                    }
                    Some(_) => Channel::DesktopOnly,
                    // A program at the other end types what a user would.
                    None if self.profile.method == Method::Keyboard && keyboard::is_stdin_piped() => Channel::Stderr,
                    None if self.has_desktop() => match self.lacks_a_browser() {
                        None => Channel::DesktopOnly,
                        Some(why) => Channel::None(NoPrompt::NeitherTerminalNorBrowser(why)),
                    },
                    None => Channel::None(NoPrompt::NoTerminal),
                },
            },
        })
    }

    fn has_desktop(&self) -> bool {
        self.profile.page_may_do_alone() && browser::is_at_a_desktop(&self.profile.browser, self.environment)
    }

    /// A keyboard, if the user can be told what to type.
    fn keyboard(&self, source: InputSource) -> Option<(Keyboard, Lines)> {
        let is_told = match self.channel() {
            Channel::Stderr => {
                keyboard::is_stderr_read()
                    || (source == InputSource::HiddenTerminalOrStdin && keyboard::is_stdin_piped())
            }
            Channel::Controlling(_) => true,
            Channel::DesktopOnly | Channel::None(_) => false,
        };
        if is_told { Keyboard::listen(source) } else { None }
    }

    /// The same, with the arguments that lead `kubectl login` to what the user signs in to. They are computed only to be shown.
    pub(crate) fn found_by(self, words: &'a dyn Fn() -> String) -> Self {
        Terminal { words, ..self }
    }

    fn subject(&self) -> PromptSubject<'_> {
        PromptSubject { target: self.target.as_ref(), profile: self.profile, words: self.words }
    }

    fn open(&self, page: &Url) -> Opened {
        // If the address cannot be shown, a failure to open it is reported at once.
        let watch =
            if self.interactivity() == Interactivity::BrowserOnly { clock::limit(UNSEEN) } else { Duration::ZERO };
        browser::open(page, &self.profile.browser, self.environment, watch)
    }

    /// Shows a prompt, and counts down the time left `to` do what it asks for. Without a terminal, the opened page is the
    /// prompt.
    fn show(
        &self,
        text: &str,
        opened: &Opened,
        life: Duration,
        to: &'static str,
        screen: &TerminalFeatures,
    ) -> Result<(), PromptError> {
        if matches!(self.channel(), Channel::DesktopOnly) {
            return match opened {
                Opened::Yes => Ok(()),
                _ => Err(PromptError::NoBrowserStarted),
            };
        }
        self.write(text).map_err(not_shown)?;
        if screen.counts_down
            && let Ok(Some(writer)) = self.channel().writer()
        {
            let columns = screen.columns().unwrap_or(80);
            *self.countdown.borrow_mut() = Some(Countdown::start(writer, is_in_front, life, to, columns));
        }
        Ok(())
    }

    /// The features of the terminal behind the channel, if there is one.
    fn screen(&self) -> Option<TerminalFeatures> {
        let size = match self.channel() {
            Channel::Stderr if io::stderr().is_terminal() => terminal_size::terminal_size_of(io::stderr()),
            Channel::Controlling(terminal) => terminal_size::terminal_size_of(terminal),
            _ => return None,
        };
        Some(TerminalFeatures::new(size, self.environment))
    }

    /// Writes a sentence, wrapped between words. A failure is ignored.
    fn put(&self, sentence: &str) {
        let columns = self.screen().and_then(|screen| screen.columns());
        let _ = self.write(&format!("{}\n", wrapped(sentence, 0, columns)));
    }

    fn write(&self, text: &str) -> io::Result<()> {
        match self.channel().writer()? {
            Some(writer) => write_within(clock::limit(WRITE_TIMEOUT), writer, text.to_owned()),
            None => Ok(()),
        }
    }
}

impl Channel {
    /// The stream to write to; `None` if there is none.
    fn writer(&self) -> io::Result<Option<Box<dyn Write + Send>>> {
        Ok(match self {
            Channel::Stderr => Some(Box::new(io::stderr())),
            Channel::Controlling(terminal) => Some(Box::new(terminal.try_clone()?)),
            Channel::DesktopOnly | Channel::None(_) => None,
        })
    }
}

impl Person for Terminal<'_> {
    fn interactivity(&self) -> Interactivity {
        match self.channel() {
            Channel::Stderr | Channel::Controlling(_) => Interactivity::Terminal,
            Channel::DesktopOnly => Interactivity::BrowserOnly,
            Channel::None(cause) => Interactivity::None(cause.clone()),
        }
    }

    fn is_at_a_terminal(&self) -> bool {
        io::stderr().is_terminal() || controlling_terminal().is_some()
    }

    fn lacks_a_browser(&self) -> Option<NoBrowser> {
        browser::lacking_because(&self.profile.browser, self.environment)
    }

    fn show_code(&self, code: &CodePrompt<'_>) -> Result<(), PromptError> {
        let opened = self.open(code.complete_address.unwrap_or(code.address));
        let screen = self.screen().unwrap_or_default();
        let text = prompt::code(code, &self.subject(), &opened, &screen);
        self.show(&text, &opened, code.life, "use the code", &screen)
    }

    fn show_page(&self, page: &PagePrompt<'_>) -> Result<Option<Lines>, PromptError> {
        let opened = self.open(page.address);
        let screen = self.screen().unwrap_or_default();
        let source = match page.way_back {
            WayBack::PastedOrStdin => InputSource::HiddenTerminalOrStdin,
            WayBack::Listener | WayBack::Pasted => InputSource::HiddenTerminal,
        };
        let (keyboard, lines) = self.keyboard(source).unzip();
        *self.keyboard.borrow_mut() = keyboard;
        let text = prompt::page(page, &self.subject(), &opened, lines.is_some(), &screen);
        self.show(&text, &opened, page.life, "sign in", &screen).inspect_err(|_| self.put_away())?;
        Ok(lines)
    }

    fn ask(
        &self,
        question: Question<'_>,
        reason: Option<PromptReason<'_>>,
        limit: Duration,
    ) -> Result<Lines, PromptError> {
        let source = match question {
            Question::Username | Question::Confirm(_) => InputSource::VisibleTerminal,
            Question::Password(_) => InputSource::HiddenTerminal,
        };
        let Some((keyboard, lines)) = self.keyboard(source) else {
            return Err(PromptError::PasswordNeedsTerminal);
        };
        *self.keyboard.borrow_mut() = Some(keyboard);
        let screen = self.screen().unwrap_or_default();
        let text = prompt::question(question, reason.as_ref().map(|reason| (reason, limit)), &self.subject(), &screen);
        self.write(&text).map_err(not_shown).inspect_err(|_| self.put_away())?;
        Ok(lines)
    }

    fn put_away(&self) {
        self.countdown.borrow_mut().take();
        self.keyboard.borrow_mut().take();
    }

    fn say(&self, notice: Notice<'_>) {
        let clear = if self.countdown.borrow().is_some() { CLEAR_LINE } else { "" };
        self.put(&format!("{clear}{}", without_controls(&notice::text(notice))));
    }

    fn mention(&self, notice: Notice<'_>) {
        if let Some(screen) = self.screen() {
            // Another process may be counting down on this line.
            let clear = if screen.rewrites { CLEAR_LINE } else { "" };
            self.put(&format!("{clear}{}", without_controls(&notice::text(notice))));
        }
    }
}

fn not_shown(error: io::Error) -> PromptError {
    PromptError::NotShown(error.to_string())
}

/// The controlling terminal of this process, wherever its streams go.
#[cfg(unix)]
fn controlling_terminal() -> Option<File> {
    let terminal = File::options().write(true).open("/dev/tty").ok()?;
    terminal.is_terminal().then_some(terminal)
}

#[cfg(not(unix))]
fn controlling_terminal() -> Option<File> {
    File::options().write(true).open("CONOUT$").ok()
}
