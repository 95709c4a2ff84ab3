//! Where a person can be reached, and what they are shown.

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use kubectl_login::environment::Environment;
use kubectl_login::profile::{Method, Profile};
use kubectl_login::signin::{CodePrompt, Lines, PagePrompt, Person, Question, Reach, WayBack, Why};
use kubectl_login_core::clock;
use kubectl_login_core::error::{Error, Result};
use kubectl_login_core::text::without_controls;
use url::Url;

use super::Source;
use super::briefly::{BRIEFLY, write_within};
use super::browser::{self, Opened};
use super::countdown::{CLEAR_LINE, Countdown};
use super::keyboard::{self, Keyboard, is_in_front};
use super::prompt::{self, Subject};
use super::screen::Screen;
use super::style::{Style, paint};
use super::target::Target;
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

/// What a user can do while another program has the terminal.
const GO_TO_ANOTHER_TERMINAL: &str = "In another terminal, sign in: kubectl login";
/// What somebody can do whose desktop has no browser that can be started.
const NAME_A_BROWSER: &str = "Name a browser with --browser-command in the kubeconfig user's exec.args.\nOr sign in, in a terminal: kubectl login";
/// How long the opening of a page is watched where it has to do by itself.
const UNSEEN: Duration = Duration::from_secs(2);

/// The person in front of this process, if there is one.
pub(crate) struct Terminal<'a> {
    prompt: Prompt,
    profile: &'a Profile,
    /// Cluster or context, where it is known.
    target: Option<Target>,
    /// What leads `kubectl login` to it.
    words: &'a dyn Fn() -> String,
    environment: &'a Environment,
    /// Found out when it is first needed: a warm call never asks.
    channel: OnceCell<Channel>,
    /// Runs while somebody is asked.
    countdown: RefCell<Option<Countdown>>,
    /// Reads while somebody is asked who may have something to bring.
    keyboard: RefCell<Option<Keyboard>>,
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
        target: Option<Target>,
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
                None if io::stderr().is_terminal() && !keyboard::is_raw(io::stderr()) => Channel::Stderr,
                None => match controlling_terminal() {
                    Some(terminal) if !keyboard::is_raw(&terminal) => Channel::Controlling(terminal),
                    Some(_) if !self.has_desktop() || self.lacks_a_browser().is_some() => {
                        Channel::None("another program has taken over the terminal".to_owned(), GO_TO_ANOTHER_TERMINAL)
                    }
                    Some(_) => Channel::DesktopOnly,
                    // A program at the other end brings what a person would.
                    None if self.profile.method == Method::Keyboard && keyboard::is_fed() => Channel::Stderr,
                    None if self.has_desktop() => match self.lacks_a_browser() {
                        None => Channel::DesktopOnly,
                        Some(why) => Channel::None(format!("there is no terminal, and {why}"), NAME_A_BROWSER),
                    },
                    None => Channel::None("there is no terminal".to_owned(), GO_TO_A_TERMINAL),
                },
            },
        })
    }

    fn has_desktop(&self) -> bool {
        self.profile.page_may_do_alone() && browser::is_at_a_desktop(&self.profile.browser, self.environment)
    }

    /// Somebody's keyboard, where they can be told what to type.
    fn keyboard(&self, source: Source) -> Option<(Keyboard, Lines)> {
        let is_told = match self.channel() {
            Channel::Stderr => keyboard::is_followed() || (source == Source::UnseenOrStdin && keyboard::is_fed()),
            Channel::Controlling(_) => true,
            Channel::DesktopOnly | Channel::None(..) => false,
        };
        if is_told { Keyboard::listen(source) } else { None }
    }

    /// The same, with `words` that lead `kubectl login` to what the user signs in to. They are asked for only to be shown.
    pub(crate) fn found_by(self, words: &'a dyn Fn() -> String) -> Self {
        Terminal { words, ..self }
    }

    fn subject(&self) -> Subject<'_> {
        Subject { target: self.target.as_ref(), profile: self.profile, words: self.words }
    }

    fn open(&self, page: &Url) -> Opened {
        // Where nobody can be told the address, they are told at once that they have to sign in elsewhere.
        let watch = if self.reach() == Reach::Desktop { clock::limit(UNSEEN) } else { Duration::ZERO };
        browser::open(page, &self.profile.browser, self.environment, watch)
    }

    /// Shows a prompt, and counts down what is left `to` do what it asks for. Where nobody can read, the page that was
    /// opened has to do.
    fn show(&self, text: &str, opened: &Opened, life: Duration, to: &'static str, screen: &Screen) -> Result<()> {
        if matches!(self.channel(), Channel::DesktopOnly) {
            return match opened {
                Opened::Yes => Ok(()),
                _ => Err(Error::sign_in_needed(
                    "somebody has to sign in, and no browser could be started here",
                    NAME_A_BROWSER,
                )),
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
            Some(writer) => write_within(clock::limit(BRIEFLY), writer, text.to_owned()),
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

    fn lacks_a_browser(&self) -> Option<String> {
        browser::lacking_because(&self.profile.browser, self.environment)
    }

    fn show_code(&self, code: &CodePrompt<'_>) -> Result<()> {
        let opened = self.open(code.complete_address.unwrap_or(code.address));
        let screen = self.screen().unwrap_or_default();
        let text = prompt::code(code, &self.subject(), &opened, &screen);
        self.show(&text, &opened, code.life, "use the code", &screen)
    }

    fn show_page(&self, page: &PagePrompt<'_>) -> Result<Option<Lines>> {
        let opened = self.open(page.address);
        let screen = self.screen().unwrap_or_default();
        let source = match page.way_back {
            WayBack::PersonOrStdin => Source::UnseenOrStdin,
            WayBack::Listener | WayBack::Person => Source::Unseen,
        };
        let (keyboard, lines) = self.keyboard(source).unzip();
        *self.keyboard.borrow_mut() = keyboard;
        let text = prompt::page(page, &self.subject(), &opened, lines.is_some(), &screen);
        self.show(&text, &opened, page.life, "sign in", &screen).inspect_err(|_| self.put_away())?;
        Ok(lines)
    }

    fn ask(&self, question: Question<'_>, why: Option<Why<'_>>, life: Duration) -> Result<Lines> {
        let source = match question {
            Question::Username | Question::Confirm(_) => Source::Seen,
            Question::Password(_) => Source::Unseen,
        };
        let Some((keyboard, lines)) = self.keyboard(source) else {
            return Err(Error::sign_in_needed(
                "a password has to be typed, and there is no terminal to type it in",
                GO_TO_A_TERMINAL,
            ));
        };
        *self.keyboard.borrow_mut() = Some(keyboard);
        let screen = self.screen().unwrap_or_default();
        let text = prompt::question(question, why.as_ref().map(|why| (why, life)), &self.subject(), &screen);
        self.write(&text).map_err(not_shown).inspect_err(|_| self.put_away())?;
        Ok(lines)
    }

    fn put_away(&self) {
        self.countdown.borrow_mut().take();
        self.keyboard.borrow_mut().take();
    }

    fn say(&self, sentence: &str) {
        let clear = if self.countdown.borrow().is_some() { CLEAR_LINE } else { "" };
        self.put(&format!("{clear}{}", without_controls(sentence)));
    }

    fn mention(&self, sentence: &str) {
        if let Some(screen) = self.screen() {
            // Another process may be counting down on this line.
            let clear = if screen.rewrites { CLEAR_LINE } else { "" };
            self.put(&format!("{clear}{}", without_controls(sentence)));
        }
    }
}

fn not_shown(error: io::Error) -> Error {
    Error::sign_in_needed(format!("what to do cannot be shown: {error}"), GO_TO_A_TERMINAL)
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
