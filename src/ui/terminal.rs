//! Where a person can be reached, and what they are shown.

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};

use kubectl_login::environment::Environment;
use kubectl_login::error::{Error, Result};
use kubectl_login::profile::{Browser, Profile};
use kubectl_login::signin::{CodePrompt, Person, Reach};
use kubectl_login::text::without_controls;

use super::briefly::{BRIEFLY, write_within};
use super::browser::{self, Opened};
use super::countdown::{CLEAR_LINE, Countdown};
use super::prompt;
use super::screen::Screen;
use super::style::{Style, paint};
use super::wrap::wrapped;

/// Whether somebody may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Prompt {
    /// Where somebody is there: a terminal and no CI
    Auto,
    /// Yes, on stderr, whatever that is
    Always,
    /// No
    Never,
}

/// What somebody can do whom nothing keeps from being asked but a setting.
const ALLOW: &str = "If you can sign in here: kubectl login --prompt always";
/// What somebody can do who is not where they could be asked.
const GO_TO_A_TERMINAL: &str = "In a terminal, sign in: kubectl login";

/// The person in front of this process, if there is one.
pub(crate) struct Terminal<'a> {
    prompt: Prompt,
    profile: &'a Profile,
    /// Cluster or context, where it is known.
    for_whom: Option<String>,
    environment: &'a Environment,
    /// Found out when it is first needed: a warm call never asks.
    channel: OnceCell<Channel>,
    /// Runs while a code is shown.
    countdown: RefCell<Option<Countdown>>,
}

/// How text gets to the person.
enum Channel {
    Stderr,
    /// The controlling terminal: stderr goes somewhere else.
    Controlling(File),
    /// Not at all, but a browser can be opened.
    DesktopOnly,
    /// Not at all: why, and what can be done about it.
    None(String, &'static str),
}

impl<'a> Terminal<'a> {
    pub(crate) fn new(
        prompt: Prompt,
        profile: &'a Profile,
        for_whom: Option<String>,
        environment: &'a Environment,
    ) -> Self {
        Terminal { prompt, profile, for_whom, environment, channel: OnceCell::new(), countdown: RefCell::default() }
    }

    /// Says to somebody who was asked to sign in how it ended: well. The beginning may be coloured; both
    /// parts have to be fit to be shown.
    pub(crate) fn confirm(&self, beginning: &str, rest: &str) {
        let colour = self.screen().is_some_and(|screen| screen.colour);
        self.put(&format!("{}{rest}", paint(colour, Style::Good, beginning)));
    }

    fn channel(&self) -> &Channel {
        self.channel.get_or_init(|| match self.prompt {
            Prompt::Always => Channel::Stderr,
            Prompt::Never => Channel::None("prompts are switched off".to_owned(), ALLOW),
            Prompt::Auto => match self.environment.ci() {
                Some(variable) => Channel::None(format!("{variable} is set, so this is no person's terminal"), ALLOW),
                None if io::stderr().is_terminal() => Channel::Stderr,
                None => match controlling_terminal() {
                    Some(terminal) => Channel::Controlling(terminal),
                    None if self.has_desktop() => Channel::DesktopOnly,
                    None => Channel::None("there is no terminal".to_owned(), GO_TO_A_TERMINAL),
                },
            },
        })
    }

    fn has_desktop(&self) -> bool {
        self.profile.page_may_do_alone()
            && self.profile.browser != Browser::Skip
            && !browser::is_headless(self.environment)
    }

    /// What the terminal can do, where one is behind the channel.
    fn screen(&self) -> Option<Screen> {
        let size = match self.channel() {
            Channel::Stderr if io::stderr().is_terminal() => terminal_size::terminal_size_of(io::stderr()),
            Channel::Controlling(terminal) => terminal_size::terminal_size_of(terminal),
            _ => return None,
        };
        Some(Screen::of(size, self.environment))
    }

    /// Writes a sentence, broken between words. One that cannot be shown changes nothing.
    fn put(&self, sentence: &str) {
        let columns = self.screen().and_then(|screen| screen.columns());
        let _ = self.write(&format!("{}\n", wrapped(sentence, 0, columns)));
    }

    fn write(&self, text: &str) -> io::Result<()> {
        match self.channel().writer()? {
            Some(writer) => write_within(BRIEFLY, writer, text.to_owned()),
            None => Ok(()),
        }
    }
}

impl Channel {
    /// What is written to; `None` where nothing can be.
    fn writer(&self) -> io::Result<Option<Box<dyn Write + Send>>> {
        Ok(match self {
            Channel::Stderr => Some(Box::new(io::stderr())),
            Channel::Controlling(terminal) => Some(Box::new(terminal.try_clone()?)),
            Channel::DesktopOnly | Channel::None(..) => None,
        })
    }
}

impl Person for Terminal<'_> {
    fn reach(&self) -> Reach {
        match self.channel() {
            Channel::Stderr | Channel::Controlling(_) => Reach::Terminal,
            Channel::DesktopOnly => Reach::Desktop,
            Channel::None(why, way_on) => Reach::Nobody { why: why.clone(), way_on: (*way_on).to_owned() },
        }
    }

    fn is_at_a_terminal(&self) -> bool {
        io::stderr().is_terminal() || controlling_terminal().is_some()
    }

    fn show_code(&self, code: &CodePrompt<'_>) -> Result<()> {
        let open = |url| browser::open(url, &self.profile.browser, self.environment);
        let opened = code.address_to_open.map_or(Opened::No, open);
        if matches!(self.channel(), Channel::DesktopOnly) {
            return match opened {
                Opened::Yes => Ok(()),
                _ => Err(Error::sign_in_needed(
                    "somebody has to sign in, and no browser could be started here",
                    "Name a browser with --browser-command in the kubeconfig user's exec.args.\nOr sign in, in a terminal: kubectl login",
                )),
            };
        }
        let screen = self.screen().unwrap_or_default();
        let text = prompt::text(code, self.for_whom.as_deref(), self.profile, &opened, &screen);
        self.write(&text).map_err(|error| {
            Error::sign_in_needed(format!("the code cannot be shown: {error}"), "In a terminal, sign in: kubectl login")
        })?;
        if screen.counts_down
            && let Ok(Some(writer)) = self.channel().writer()
        {
            let columns = screen.columns().unwrap_or(80);
            *self.countdown.borrow_mut() = Some(Countdown::start(writer, code.life, columns));
        }
        Ok(())
    }

    fn put_code_away(&self) {
        self.countdown.borrow_mut().take();
    }

    fn say(&self, sentence: &str) {
        self.put(&without_controls(sentence));
    }

    fn mention(&self, sentence: &str) {
        if let Some(screen) = self.screen() {
            // Another process may be counting down on this line.
            let clear = if screen.rewrites { CLEAR_LINE } else { "" };
            self.put(&format!("{clear}{}", without_controls(sentence)));
        }
    }
}

/// The terminal this process belongs to, wherever its streams go.
#[cfg(unix)]
fn controlling_terminal() -> Option<File> {
    let terminal = File::options().write(true).open("/dev/tty").ok()?;
    terminal.is_terminal().then_some(terminal)
}

#[cfg(not(unix))]
fn controlling_terminal() -> Option<File> {
    File::options().write(true).open("CONOUT$").ok()
}
