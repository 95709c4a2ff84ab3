//! What a user confirms once, before a kubeconfig or an issuer has it their way: by typing `kubectl login CONTEXT`, or by
//! a yes at the terminal.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{NoTokens, Person, Question, Reach, Shown};
use kubectl_login_core::clock;
use kubectl_login_core::error::Error;
use kubectl_login_core::text::{in_words, printable};

/// Something that has not been confirmed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation<'a> {
    /// The session is to be used for this audience, which it has not been used for.
    Audience(&'a str),
    /// The issuer has its sign-in page at this host, which is another site's.
    Page(&'a str),
}

impl Confirmation<'_> {
    /// What there is to be confirmed, as a clause.
    pub fn what(self) -> String {
        match self {
            Confirmation::Audience(audience) => {
                format!("this sign-in has not been used for the audience {:?} yet", printable(audience, 200))
            }
            Confirmation::Page(host) => format!("the issuer's sign-in page belongs to another site, {host}"),
        }
    }

    /// What a yes says.
    pub fn trust(self) -> &'static str {
        match self {
            Confirmation::Audience(_) => "you trust this kubeconfig and its cluster",
            Confirmation::Page(_) => "you know that this issuer signs users in there",
        }
    }

    /// The error if it is not confirmed.
    pub fn missing(self) -> Error {
        self.error(self.what())
    }

    fn error(self, what: String) -> Error {
        Error::sign_in_needed(what, format!("If {}, confirm it: kubectl login CONTEXT", self.trust()))
    }
}

/// Has the user confirm it, within `life`; `on_wait` is told that the wait begins.
///
/// Errors: the user says no, does not answer, or cannot be asked here.
pub async fn ask(
    confirmation: Confirmation<'_>,
    person: &dyn Person,
    life: Duration,
    on_wait: &dyn Fn(Duration),
) -> Result<(), NoTokens> {
    let unable = || NoTokens::NotShown(confirmation.missing());
    if person.reach() != Reach::Terminal {
        return Err(unable());
    }
    on_wait(life);
    let end = Instant::now() + clock::life(life);
    let mut lines = person.ask(Question::Confirm(confirmation), None, life).map_err(|_| unable())?;
    let _shown = Shown(person);
    match timeout_at(end, lines.recv()).await {
        Ok(Some(line)) if is_yes(line.expose()) => Ok(()),
        Ok(_) => {
            Err(NoTokens::Refused(confirmation.error(format!("{}, and you did not confirm it", confirmation.what()))))
        }
        Err(_) => {
            let what = format!("{}, and it was not confirmed within {}", confirmation.what(), in_words(life));
            Err(NoTokens::Unanswered(confirmation.error(what)))
        }
    }
}

fn is_yes(line: &str) -> bool {
    ["y", "yes"].iter().any(|yes| line.trim().eq_ignore_ascii_case(yes))
}
