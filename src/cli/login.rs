//! `kubectl login`: signs in now for a kubeconfig entry, with that entry's own settings.

use kubectl_login::environment::Environment;
use kubectl_login::issued_token::TokenOrigin;
use kubectl_login::messages::{self, ErrorMessage, Result};
use kubectl_login::session::groups::LookupOptions;
use kubectl_login::session::identity::Identity;
use kubectl_login::session::{RequestOptions, TokenRequest, sessions};
use kubectl_login_core::oauth::challenge::ClaimsChallenge;
use kubectl_login_core::text::printable;

use super::args::LoginArgs;
use super::entry_reader::EntryReader;
use super::{entry, kubectl_user, membership, profile, report};
use crate::ui::{PromptMode, SignInTarget, Terminal};

pub(super) fn run(args: &LoginArgs, shell: &Environment) -> Result<()> {
    let reader = EntryReader::default();
    let challenge = args.claims.as_deref().map(challenge).transpose()?;
    let (entry, mut settings, environment) = entry::settings_of(&args.entry, &args.method, shell, &reader)?;
    args.look_up.apply(&mut settings.profile);
    let named = entry.context.clone().filter(|_| args.entry.user.is_none());
    if args.browser.skip_open_browser.is_some() || args.browser.browser_command.is_some() {
        settings.profile.browser = profile::browser(&args.browser);
    }
    let store = settings.store(&environment);
    // An entry that must never ask by itself (--prompt never) is signed in to by typing this; a variable of the shell that
    // says so means this as well.
    let prompt = match (args.prompt, profile::prompt(None, shell)?, environment.ci()) {
        (Some(prompt), ..) => prompt,
        // The user who types this is there, whatever stderr is connected to; only in CI no user types.
        (None, PromptMode::Auto, None) => PromptMode::Always,
        (None, PromptMode::Auto, Some(_)) => settings.prompt,
        (None, prompt, _) => prompt,
    };
    let server = || entry.api_server.server.clone().map(SignInTarget::Server);
    let target = entry.context.clone().map(SignInTarget::Context).or_else(server);
    let words = || settings.sources.selection().words();
    let person = Terminal::new(prompt, &settings.profile, target, &environment).found_by(&words);
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
    let identity = &Identity::of(profile);
    let session_in_cluster =
        membership::ClusterSession { entry: &entry, profile, identity, store, environment, person: &for_groups };
    let groups_before = args.refresh.then(|| session_in_cluster.groups_before()).flatten();
    let obtained =
        TokenRequest::new(profile, identity, store, environment, &person, options).answering(challenge).obtain();
    let obtained =
        obtained.map_err(|error| settings.sources.attributed(messages::failure::explain(&error.failure, profile)))?;

    let session = sessions::current(identity, &profile.network, store);
    let facts = obtained.facts.clone().or_else(|| store.session_facts(&session.id));
    let (beginning, rest) = messages::token::signed_in(&obtained, facts.as_ref());
    report::done(&beginning, &rest)?;
    kubectl_user::overrides(&entry).iter().for_each(report::warn);
    if let Some(audience) = profile.audience_to_confirm() {
        report::sentence(&format!(
            "The token is for the audience {:?}, which you have confirmed for this sign-in.",
            printable(audience, 200)
        ))?;
    }
    let contexts = entry::contexts(args.entry.kubeconfig.as_deref(), shell, &reader);
    let others = entry::others(&contexts, named.as_deref(), &identity.session, &session.anchors, store.root());
    if !others.is_empty() {
        report::sentence(&format!("The same sign-in serves {}.", others.join(", ")))?;
    }
    if obtained.origin == TokenOrigin::Cache {
        report::sentence("For a new token there is --refresh, for another sign-in --force.")?;
    }
    let options =
        LookupOptions { may_prompt: true, force_refresh: args.refresh, force_sign_in: args.force, names: false };
    session_in_cluster.tell(&obtained, options, groups_before)
}

/// What was typed behind `--claims`.
fn challenge(text: &str) -> Result<ClaimsChallenge> {
    ClaimsChallenge::from_copy(text).map_err(|why| {
        ErrorMessage::usage(
            format!("--claims is not a claims challenge: {why}"),
            "Copy all of the value of claims from the WWW-Authenticate header or the error, in single quotes.",
        )
    })
}
