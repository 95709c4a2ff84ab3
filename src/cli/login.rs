//! `kubectl login`: signs in for a kubeconfig entry, with that entry's own settings.

use kubectl_login::environment::Environment;
use kubectl_login::issued_token::{IssuedToken, TokenOrigin};
use kubectl_login::messages::{self, Result};
use kubectl_login::session::groups::LookupOptions;
use kubectl_login::session::identity::Identity;
use kubectl_login::session::{RequestOptions, TokenRequest, sessions};
use kubectl_login_core::oauth::challenge::ClaimsChallenge;
use kubectl_login_core::text::printable;

use super::args::LoginArgs;
use super::entry_reader::EntryReader;
use super::membership::{self, ClusterSession};
use super::{entry, kubectl_user, profile, report};
use crate::ui::{PromptMode, SignInTarget, Terminal};

pub(super) fn run(args: &LoginArgs, shell: &Environment) -> Result<()> {
    let reader = EntryReader::default();
    let challenge = args.claims.as_deref().map(ClaimsChallenge::from_copy).transpose();
    let challenge = challenge.map_err(|error| messages::command::invalid_claims(&error))?;
    let (entry, mut settings, environment) = entry::settings_of(&args.entry, &args.method, shell, &reader)?;
    args.look_up.apply(&mut settings.profile);
    if args.browser.skip_open_browser.is_some() || args.browser.browser_command.is_some() {
        settings.profile.browser = profile::browser(&args.browser);
    }
    let store = settings.store(&environment);
    let prompt = prompt_mode(args, settings.prompt, shell, &environment)?;
    let server = || entry.api_server.server.clone().map(SignInTarget::Server);
    let target = entry.context.clone().map(SignInTarget::Context).or_else(server);
    let words = || settings.sources.selection().words();
    let terminal = Terminal::new(prompt, &settings.profile, target, &environment).found_by(&words);
    let options = RequestOptions {
        force_sign_in: args.force,
        force_refresh: args.refresh,
        user_initiated: true,
        non_interactive: false,
    };
    // A second client may have to be signed in for the groups.
    let for_groups =
        Terminal::new(prompt, &settings.profile, Some(SignInTarget::Described(membership::FOR_GROUPS)), &environment);
    let (profile, store, environment) = (&settings.profile, &store, &environment);
    let identity = &Identity::new(profile);
    let session = ClusterSession { entry: &entry, profile, identity, store, environment, terminal: &for_groups };
    let groups_before = args.refresh.then(|| session.groups_before()).flatten();
    let issued =
        TokenRequest::new(profile, identity, store, environment, &terminal, options).answering(challenge).obtain();
    let issued =
        issued.map_err(|error| settings.sources.attributed(messages::failure::explain(&error.failure, profile)))?;
    report_sign_in(args, &session, &issued, shell, &reader)?;
    let options =
        LookupOptions { may_prompt: true, force_refresh: args.refresh, force_sign_in: args.force, names: false };
    session.tell(&issued, options, groups_before)
}

/// Whether to prompt. `of_entry` is what the entry says, which `environment` includes; `shell` is the environment without it.
fn prompt_mode(
    args: &LoginArgs,
    of_entry: PromptMode,
    shell: &Environment,
    environment: &Environment,
) -> Result<PromptMode> {
    // An entry that must never prompt by itself (--prompt never) can be signed in to with this command; a variable of the
    // shell that forbids prompts applies to this command too.
    Ok(match (args.prompt, profile::prompt(None, shell)?, environment.ci()) {
        (Some(prompt), ..) => prompt,
        // The user who types this is there, whatever stderr is connected to; only in CI no user types.
        (None, PromptMode::Auto, None) => PromptMode::Always,
        (None, PromptMode::Auto, Some(_)) => of_entry,
        (None, prompt, _) => prompt,
    })
}

/// Says who is signed in, and what else the sign-in serves.
///
/// Errors: it cannot be printed.
fn report_sign_in(
    args: &LoginArgs,
    session: &ClusterSession<'_>,
    issued: &IssuedToken,
    shell: &Environment,
    reader: &EntryReader,
) -> Result<()> {
    let ClusterSession { entry, profile, identity, store, .. } = session;
    let current = sessions::current(identity, &profile.network, store);
    let facts = issued.facts.clone().or_else(|| store.session_facts(&current.id));
    let (beginning, rest) = messages::token::signed_in(issued, facts.as_ref());
    report::done(&beginning, &rest)?;
    kubectl_user::overrides(entry).iter().for_each(report::warn);
    if let Some(audience) = profile.audience_to_confirm() {
        report::sentence(&format!(
            "The token is for the audience {:?}, which you have confirmed for this sign-in.",
            printable(audience, 200)
        ))?;
    }
    let named = entry.context.as_deref().filter(|_| args.entry.user.is_none());
    let contexts = entry::contexts(args.entry.kubeconfig.as_deref(), shell, reader);
    let others = entry::others(&contexts, named, &identity.session, &current.anchors, store.root());
    if !others.is_empty() {
        report::sentence(&format!("The same session is used by {}.", others.join(", ")))?;
    }
    if issued.origin == TokenOrigin::Cache {
        report::sentence("Use --refresh for a new token, --force to sign in again.")?;
    }
    Ok(())
}
