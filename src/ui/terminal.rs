//! Where a person can be reached, and what they are shown.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};

use kubectl_login::environment::Environment;
use kubectl_login::error::{Error, Result};
use kubectl_login::profile::{Browser, Profile, Provider};
use kubectl_login::signin::{CodePrompt, Person, Reach};
use kubectl_login::text::printable;

use super::browser;

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

/// The person in front of this process, if there is one.
pub(crate) struct Terminal<'a> {
    prompt: Prompt,
    profile: &'a Profile,
    /// Cluster or context, where it is known.
    for_whom: Option<String>,
    environment: &'a Environment,
    /// Found out when it is first needed: a warm call never asks.
    channel: OnceCell<Channel>,
}

/// How text gets to the person.
enum Channel {
    Stderr,
    /// The controlling terminal: stderr goes somewhere else.
    Controlling(File),
    /// Not at all, but a browser can be opened.
    DesktopOnly,
    /// Not at all, and why.
    None(String),
}

impl<'a> Terminal<'a> {
    pub(crate) fn new(
        prompt: Prompt,
        profile: &'a Profile,
        for_whom: Option<String>,
        environment: &'a Environment,
    ) -> Self {
        Terminal { prompt, profile, for_whom, environment, channel: OnceCell::new() }
    }

    fn channel(&self) -> &Channel {
        self.channel.get_or_init(|| match self.prompt {
            Prompt::Always => Channel::Stderr,
            Prompt::Never => Channel::None("prompts are switched off".to_owned()),
            Prompt::Auto => match self.environment.ci() {
                Some(variable) => Channel::None(format!("{variable} is set, so this is no person's terminal")),
                None if io::stderr().is_terminal() => Channel::Stderr,
                None => match controlling_terminal() {
                    Some(terminal) => Channel::Controlling(terminal),
                    None if self.has_desktop() => Channel::DesktopOnly,
                    None => Channel::None("there is no terminal".to_owned()),
                },
            },
        })
    }

    fn has_desktop(&self) -> bool {
        self.profile.browser != Browser::Skip && browser::has_desktop(self.environment)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        match self.channel() {
            Channel::Stderr => io::stderr().lock().write_all(text.as_bytes()),
            Channel::Controlling(terminal) => (&*terminal).write_all(text.as_bytes()),
            Channel::DesktopOnly | Channel::None(_) => Ok(()),
        }
    }
}

impl Person for Terminal<'_> {
    fn reach(&self) -> Reach {
        match self.channel() {
            Channel::Stderr | Channel::Controlling(_) => Reach::Terminal,
            Channel::DesktopOnly => Reach::Desktop,
            Channel::None(why) => Reach::Nobody(why.clone()),
        }
    }

    fn is_at_a_terminal(&self) -> bool {
        io::stderr().is_terminal() || controlling_terminal().is_some()
    }

    fn show_code(&self, prompt: &CodePrompt<'_>) -> Result<()> {
        let text = prompt_text(prompt, self.for_whom.as_deref(), self.profile);
        self.write(&text).map_err(|error| {
            Error::sign_in_needed(format!("the code cannot be shown: {error}"), "Run kubectl login in a terminal.")
        })?;
        let opened =
            prompt.address_to_open.is_some_and(|url| browser::open(url, &self.profile.browser, self.environment));
        match self.channel() {
            Channel::DesktopOnly if !opened => Err(Error::sign_in_needed(
                "somebody has to sign in, and no browser could be started here",
                "Run kubectl login in a terminal. In a pipeline use an unattended method.",
            )),
            _ => Ok(()),
        }
    }

    fn say(&self, sentence: &str) {
        // A notice that cannot be shown changes nothing.
        let _ = self.write(&format!("{sentence}\n"));
    }
}

/// The prompt: for whom, then address and code, each alone on its line so that a double click takes it whole.
fn prompt_text(prompt: &CodePrompt<'_>, for_whom: Option<&str>, profile: &Profile) -> String {
    let cluster = for_whom.map_or_else(|| "Kubernetes".to_owned(), |name| printable(name, 200));
    let issuer = match &profile.provider {
        Provider::Entra { tenant, .. } => format!("tenant {}", printable(tenant, 100)),
        Provider::Oidc { issuer, .. } => format!("issuer {}", printable(issuer, 200)),
    };
    let account = profile.account_hint.as_ref().map(|hint| format!(" as {}", printable(hint, 100)));
    let reason = prompt.reason.map(|reason| format!("A new sign-in is needed: {reason}.\n")).unwrap_or_default();
    let minutes = prompt.life.as_secs().div_ceil(60);
    format!(
        "\n{reason}Sign in to {cluster}{} ({issuer}).\n\nOpen this page in a browser, on any device:\n\n{}\n\nand enter this code:\n\n{}\n\nThe code is good for {minutes} {}. Only enter a code that you asked for yourself.\n\n",
        account.unwrap_or_default(),
        prompt.address,
        prompt.code,
        if minutes == 1 { "minute" } else { "minutes" },
    )
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
