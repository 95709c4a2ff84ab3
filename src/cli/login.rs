//! `kubectl login`: signs in now for a kubeconfig entry, with that entry's own settings.

use std::io::IsTerminal as _;

use chrono::{DateTime, Local, TimeDelta, Utc};
use kubectl_login::environment::{self, Environment};
use kubectl_login::error::{Error, Result};
use kubectl_login::kube::kubeconfig::{Entry, Kubeconfig};
use kubectl_login::paths;
use kubectl_login::profile::Browser;
use kubectl_login::session::identity::Identity;
use kubectl_login::session::{Failed, How, Insist, Obtained, Road};
use kubectl_login::store::SessionFacts;
use kubectl_login::text::printable;

use super::args::{EntryArgs, LoginArgs};
use super::profile::{self, Settings};
use super::report;
use crate::ui::style::{self, Style, paint};
use crate::ui::{Prompt, Terminal};

pub(super) fn run(args: &LoginArgs, environment: &Environment) -> Result<(), Failed> {
    let (entry, mut settings, environment) = settings_of(&args.entry, environment)?;
    match profile::browser(&args.browser) {
        Browser::Desktop => {}
        typed => settings.profile.browser = typed,
    }
    let store = settings.store(&environment);
    // Whoever types this is there, whatever stderr is connected to; only in CI nobody types.
    let prompt = match (args.prompt, environment.ci()) {
        (Some(prompt), _) => prompt,
        (None, None) => Prompt::Always,
        (None, Some(_)) => settings.prompt,
    };
    let for_whom = entry.context.or(entry.server);
    let person = Terminal::new(prompt, &settings.profile, for_whom, &environment);
    let insist = Insist { on_sign_in: args.force, on_refresh: args.refresh, typed: true };
    let obtained = Road::new(&settings.profile, &store, &environment, &person, insist).token()?;

    let session = Identity::of(&settings.profile).session;
    let remembered = || store.sessions().into_iter().find(|(id, ..)| *id == session).map(|(_, _, facts)| facts);
    let facts = obtained.facts.clone().or_else(remembered);
    let colour = style::enabled(std::io::stdout().is_terminal(), &environment);
    let (beginning, rest) = outcome(&obtained, facts.as_ref());
    report::line(&format!("{}{rest}", paint(colour, Style::Good, &beginning)))?;
    if obtained.how == How::Remembered {
        report::line("Nothing had to be done. For a new token: --refresh; for another sign-in: --force")?;
    }
    Ok(())
}

/// One sentence, in two parts of which the first may be coloured: how the token was come by and who that is; from whom,
/// until when.
pub(super) fn outcome(obtained: &Obtained, facts: Option<&SessionFacts>) -> (String, String) {
    let how = match obtained.how {
        How::Remembered => "Already signed in",
        How::Refreshed => "Still signed in",
        How::SignedIn => "Signed in",
    };
    let account = facts.and_then(|facts| facts.account.as_deref()).map(|account| printable(account, 200));
    let from = facts.map(|facts| match &facts.tenant {
        Some(tenant) => format!(", tenant {}", printable(tenant, 100)),
        None => format!(", issuer {}", printable(&facts.issuer, 200)),
    });
    let account = account.map(|account| format!(" as {account}")).unwrap_or_default();
    (format!("{how}{account}"), format!("{}, valid until {}.", from.unwrap_or_default(), until(obtained.expires_at)))
}

/// The settings of the kubeconfig entry that is meant, and the environment it runs in.
pub(super) fn settings_of(args: &EntryArgs, environment: &Environment) -> Result<(Entry, Settings, Environment)> {
    let explain =
        |error: kubectl_login::kube::kubeconfig::KubeconfigError| Error::failed(error.to_string(), error.next());
    let kubeconfig = Kubeconfig::load(
        args.kubeconfig.as_deref(),
        environment.get_os(environment::KUBECONFIG).map(std::ffi::OsString::as_os_str),
        paths::home(environment).as_deref(),
    )
    .map_err(explain)?;
    let entry = kubeconfig.entry(args.context(), args.user.as_deref()).map_err(explain)?;
    let Some(words) = entry.exec.plugin_arguments() else {
        return Err(Error::failed(
            format!(
                "the kubeconfig user {:?} runs {:?}, which is not this plugin",
                printable(&entry.user, 100),
                printable(&entry.exec.command, 100)
            ),
            "Choose another context with --context, or set the user's exec.command to kubectl-login with the arguments of get-token.",
        ));
    };
    let (args, typed) = super::parse_get_token(words).map_err(|error| {
        // The command line of an entry may hold a secret, so clap's whole text is not repeated.
        let kind = error.kind().as_str().unwrap_or("it cannot be read");
        Error::usage(
            format!("the arguments of the kubeconfig user {:?} make no sense: {kind}", printable(&entry.user, 100)),
            format!("Check exec.args of that user in {}.", printable(&entry.file.to_string_lossy(), 200)),
        )
    })?;
    let environment = environment.clone().with(entry.exec.env.iter().cloned());
    let settings = profile::settings(&args, &typed, &environment)?;
    Ok((entry, settings, environment))
}

/// A time as people read it: local, with what is left.
pub(super) fn until(at: DateTime<Utc>) -> String {
    format!("{} ({})", at.with_timezone(&Local).format("%Y-%m-%d %H:%M"), left(at - Utc::now()))
}

/// A span in its two largest units.
pub(super) fn left(span: TimeDelta) -> String {
    let minutes = span.num_minutes();
    match minutes {
        _ if span <= TimeDelta::zero() => "over".to_owned(),
        0 => format!("{} s left", span.num_seconds()),
        1..60 => format!("{minutes} min left"),
        60..1440 => format!("{} h {} min left", minutes / 60, minutes % 60),
        _ => format!("{} d {} h left", minutes / 1440, minutes % 1440 / 60),
    }
}
