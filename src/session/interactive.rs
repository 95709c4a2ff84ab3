//! The part of the work that a person has a hand in: a sign-in from the question whether anybody is there to the token
//! that is kept.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::{AttemptFailure, LockedRequest, SignInNeed};
use super::coordination::Held;
use super::grant::{self, Unusable, Who};
use super::issuer::Issuer;
use super::request::TokenRequest;
use super::sessions::Named;
use super::{Failed, IssuedToken, TokenOrigin, sessions};
use crate::messages::{self, Explain as _};
use crate::paths;
use crate::profile::{Method, Profile, Provider, Storage};
use crate::runtime;
use crate::signin::confirmation::{self, Confirmation};
use crate::signin::{self, Chosen, Desk, NoTokens, Reach, SignedIn, Why};
use crate::store::KeyError;
use crate::store::SealingKey;
use crate::store::{SessionFacts, SessionRecord, StoreError, TokenRecord, files};
use kubectl_login_core::clock;
use kubectl_login_core::error::{Error, Kind};

impl LockedRequest<'_, '_> {
    /// Has a person sign in, for `reason`; `challenge` is what the issuer asked for just now.
    pub(super) async fn sign_in(
        &mut self,
        SignInNeed { reason, scopes, challenge }: SignInNeed,
    ) -> Result<IssuedToken, AttemptFailure> {
        let request = self.request;
        let TokenRequest { profile, store, person, .. } = *request;
        self.check_reach(reason.as_ref())?;
        let current = sessions::current(request.identity, &profile.network, store).id;
        let session = store.session(&current).found().map(|(_, record, _)| record);
        let unconfirmed = self.request.unconfirmed_audience(session.as_ref());
        let is_unconfirmed = unconfirmed.is_some();
        // A prompt names it; a page by itself does not.
        if let Some(audience) = unconfirmed.filter(|_| person.reach() != Reach::Terminal) {
            return Err(AttemptFailure::not_prompted(Confirmation::Audience(audience).missing()));
        }
        self.check_may_prompt()?;
        let (sealing_key, trouble) = self.sealing_key()?;
        self.lock.announce_network();
        let opened = Issuer::open(profile, store, self.freshness(), profile.network.needed()).await;
        let mut issuer = opened.map_err(|unopened| AttemptFailure::passing(unopened.into()))?;
        // Calls that prompt nobody print nothing if they succeed.
        let prints = profile.needs_a_person() || self.request.options.user_initiated;
        if prints {
            self.request.warn_of_skipped(&issuer);
        }
        issuer.client.challenge = self.request.open_challenge(challenge);
        let sign_in = InteractiveSignIn {
            request,
            issuer: &issuer,
            scopes: &scopes,
            reason: reason.map(in_one_line),
            // A browser that is signed in already would answer for a user who has not read the prompt.
            choose_account: self.request.options.force_sign_in || is_unconfirmed,
            confirmed_pages: session.map(|record| record.pages).unwrap_or_default(),
            lock: RefCell::new(&mut self.lock),
        };
        let (mut signed_in, method, page) = sign_in.signed_in().await?;
        let visitor = signed_in.visitor.take();
        let kept_as = KeptAs { method, scopes: scopes.clone(), page, sealing_key: sealing_key.as_ref() };
        let outcome = take_in(request, &issuer, signed_in, kept_as).await;
        if let Some(visitor) = visitor {
            let page_afterwards = profile.authorization.page_afterwards.as_ref();
            match &outcome {
                Ok((obtained, _)) => {
                    let (beginning, rest) = obtained.sentence(obtained.facts.as_ref());
                    visitor.tell(Ok(&format!("{beginning}{rest}")), page_afterwards).await;
                }
                Err(AttemptFailure::New { error, .. } | AttemptFailure::Told(Failed { error, .. })) => {
                    visitor.tell(Err(error), None).await;
                }
            }
        }
        let (obtained, kept) = outcome?;
        self.request.forget_challenge();
        tracing::info!("signed in");
        if prints {
            say_how_it_is_kept(request, sealing_key.as_ref(), trouble, kept.as_ref().err());
        }
        Ok(obtained)
    }

    /// Checks that a user can be asked, if one is needed; `reason` is why.
    fn check_reach(&self, reason: Option<&Error>) -> Result<(), AttemptFailure> {
        let TokenRequest { profile, person, .. } = *self.request;
        let (true, Reach::Unavailable { why, way_on }) = (profile.needs_a_person(), person.reach()) else {
            return Ok(());
        };
        // A refusal whose own words lead further is not for a sign-in to settle.
        if let Some(error) = reason.filter(|error| error.kind != Kind::SignInNeeded) {
            return Err(AttemptFailure::not_prompted(error.clone()));
        }
        let way_on = match self.pending.cached.unreadable() {
            Some(KeyError::Locked) => format!("Unlock the keyring, then try again.\n{way_on}"),
            _ => way_on,
        };
        Err(AttemptFailure::not_prompted(nobody(profile, reason.cloned(), &why, &way_on)))
    }

    /// The key for what the sign-in brings, if there is one, and what is to be said about where it is kept.
    fn sealing_key(&self) -> Result<(Option<SealingKey>, Option<KeyError>), AttemptFailure> {
        let storage = self.request.profile.storage;
        if storage == Storage::None {
            return Ok((None, None));
        }
        match self.request.store.sealing_key(storage) {
            Ok((sealing_key, reason)) => Ok((Some(sealing_key), reason)),
            // Asked for by name, so it is said before a person's time is spent.
            Err(error) if storage == Storage::Keyring => Err(AttemptFailure::Told(no_keyring(&error).into())),
            Err(error) => Ok((None, Some(error))),
        }
    }
}

/// Why a user is asked, as a prompt says it.
fn in_one_line(reason: Error) -> String {
    match reason.reference {
        Some(reference) => format!("{} [{reference}]", reason.what),
        None => reason.what,
    }
}

/// A sign-in from the first question to the answer of the issuer.
struct InteractiveSignIn<'a, 'r> {
    request: &'a TokenRequest<'r>,
    issuer: &'a Issuer<'a>,
    scopes: &'a [String],
    /// Why the user is asked although there was a session.
    reason: Option<String>,
    choose_account: bool,
    /// Hosts of foreign sign-in pages that the user has confirmed.
    confirmed_pages: Vec<String>,
    lock: RefCell<&'a mut Held>,
}

impl InteractiveSignIn<'_, '_> {
    /// What the user's sign-in brought, by which method, and the host of a foreign page that it went by.
    async fn signed_in(&self) -> Result<(SignedIn, Method, Option<String>), AttemptFailure> {
        let InteractiveSignIn { request, issuer, .. } = self;
        let (mut chosen, mut page_is_left) =
            signin::chosen(request.profile, &issuer.client.endpoints(), request.person);
        loop {
            let is_page = matches!(chosen.method, Method::Browser | Method::Keyboard);
            let page = issuer.client.endpoints().foreign_page().filter(|_| is_page);
            if let Some(page) = &page {
                self.confirm(page).await?;
            }
            let outcome = self.attempt(&chosen).await?;
            issuer.keep_what_was_learnt();
            let refusal = issuer.client.take_refusal();
            if let (Err(NoTokens::Refused(_) | NoTokens::Failed(_)), Some(refusal)) = (&outcome, refusal) {
                request.note_refusal(&refusal);
            }
            match outcome {
                Ok(signed_in) => {
                    self.announce_network();
                    return Ok((signed_in, chosen.method, page));
                }
                Err(NoTokens::NotForThisClient(error)) if std::mem::take(&mut page_is_left) => {
                    chosen = Chosen::page_after(&error);
                }
                Err(ending) => return Err(ending.into()),
            }
        }
    }

    /// Has the user confirm a sign-in page of another site, unless they have, or have typed the command.
    async fn confirm(&self, page: &str) -> Result<(), AttemptFailure> {
        if self.request.options.user_initiated || self.confirmed_pages.iter().any(|known| known == page) {
            return Ok(());
        }
        let life = self.request.profile.authorization.human_time;
        let on_wait = self.on_wait();
        tokio::select! {
            biased;
            error = interrupted() => return Err(AttemptFailure::sticky(error)),
            outcome = confirmation::ask(Confirmation::Page(page), self.request.person, life, &on_wait) => outcome?,
        }
        self.announce_network();
        Ok(())
    }

    /// One sign-in by the `chosen` method.
    async fn attempt(&self, chosen: &Chosen) -> Result<Result<SignedIn, NoTokens>, AttemptFailure> {
        let InteractiveSignIn { request, issuer, .. } = self;
        let profile = request.profile;
        let desk = Desk {
            profile,
            client: &issuer.client,
            scopes: self.scopes,
            person: request.person,
            why: Why { reason: self.reason.as_deref(), choice: chosen.why.as_deref() },
            choose_account: self.choose_account,
            on_wait: &self.on_wait(),
            on_answer: &|| self.announce_network(),
        };
        // The handlers of signals first: what is done to the terminal has to be undone.
        tokio::select! {
            biased;
            error = interrupted() => {
                let next = signin::after_cancelling(chosen.method, profile, &issuer.client.endpoints());
                let error = Error { next, ..error };
                Err(match profile.needs_a_person() {
                    true => AttemptFailure::sticky(error),
                    // A call that prompts nobody has no prompt to spare others.
                    false => AttemptFailure::Told(error.into()),
                })
            }
            outcome = signin::way(chosen.method).sign_in(&desk) => Ok(outcome),
        }
    }

    fn on_wait(&self) -> impl Fn(Duration) + '_ {
        |life| self.lock.borrow_mut().announce_person(life)
    }

    fn announce_network(&self) {
        self.lock.borrow_mut().announce_network();
    }
}

/// What is noted down of a sign-in besides what it brought, and with which key.
struct KeptAs<'a> {
    method: Method,
    scopes: Vec<String>,
    /// A sign-in page that the user has confirmed.
    page: Option<String>,
    sealing_key: Option<&'a SealingKey>,
}

/// Looks at what a sign-in brought and keeps it. The token in hand comes out even where it could not be kept; whether it
/// was comes out beside it.
async fn take_in(
    request: &TokenRequest<'_>,
    issuer: &Issuer<'_>,
    signed_in: SignedIn,
    KeptAs { method, scopes, page, sealing_key }: KeptAs<'_>,
) -> Result<(IssuedToken, Result<(), StoreError>), AttemptFailure> {
    let profile = request.profile;
    let granted = signed_in.granted;
    let who = grant::who(&granted);
    check_who(&who, signed_in.nonce.as_deref(), profile)?;
    let refresh_token = grant::refresh_token(&granted);
    let deadline = Instant::now() + profile.network.needed();
    let grant = tokio::select! {
        biased;
        error = interrupted() => Err(Unusable::Other(error)),
        grant = grant::read(issuer, profile, &granted, deadline) => grant,
    };
    // Only now that everything has been asked: keys count as well as endpoints.
    let anchors = issuer.anchors();
    let session = Named { id: request.identity.session_under(&anchors), anchors };
    let facts = SessionFacts {
        issuer: issuer.client.endpoints().issuer.clone(),
        tenant: match &profile.provider {
            Provider::Entra { tenant, .. } => Some(tenant.clone()),
            Provider::Oidc { .. } => None,
        },
        client: profile.client_id.clone(),
        account: who.account.clone(),
        method: method.name(&profile.provider).to_owned(),
        refreshable: refresh_token.is_some(),
        refused: false,
        refusal: None,
        signed_in_at: Some(clock::now()),
        base: (!session.anchors.is_empty()).then(|| request.identity.session.clone()),
        anchors: session.anchors.clone(),
    };
    let before = request.predecessor(&session, &facts, who.subject.as_deref());
    let audiences = request.confirmed_audiences(before.as_ref());
    let mut pages = before.as_ref().map(|record| record.pages.clone()).unwrap_or_default();
    pages.extend(page.filter(|page| !pages.contains(page)));
    let token_endpoint = match &profile.provider {
        Provider::Entra { .. } => None,
        Provider::Oidc { .. } => Some(issuer.client.endpoints().token.to_string()),
    };
    let record = SessionRecord {
        refresh_token,
        scopes,
        subject: who.subject,
        without_codes: false,
        audiences,
        pages,
        token_endpoint,
    };
    // Whatever is the matter with this token, the sign-in is not lost; unless it is not ours.
    let kept = match (&grant, sealing_key) {
        (Err(Unusable::NotOurs(_)), _) | (_, None) => Ok(()),
        // What somebody else obtained goes first: no crash leaves it with this sign-in.
        (_, Some(sealing_key)) => {
            let forgotten = if before.is_some() { Ok(()) } else { request.store.delete_tokens(&session.id) };
            forgotten.and_then(|()| request.store.save_session(sealing_key, &session.id, &facts, &record))
        }
    };
    let grant = grant.map_err(unusable)?;
    let keep_token = |sealing_key| request.keep_token(sealing_key, &session, &grant);
    let kept = kept.and_then(|()| sealing_key.filter(|_| request.is_wanted(&session)).map_or(Ok(()), keep_token));
    let key_backend = sealing_key.filter(|_| kept.is_ok()).map(|sealing_key| sealing_key.backend);
    let TokenRecord { token, expires_at, .. } = grant.token;
    Ok((
        IssuedToken {
            token,
            expires_at,
            origin: TokenOrigin::SignIn,
            facts: Some(facts),
            key_backend,
            anchors: session.anchors,
        },
        kept,
    ))
}

/// The failure of a sign-in whose answer has no usable token for the cluster.
fn unusable(why: Unusable) -> AttemptFailure {
    AttemptFailure::passing(match why {
        Unusable::NoIdToken => Error::failed(
            "the issuer gave no ID token",
            "Ask the issuer's administrator to allow the scope openid for this client, or use --oidc-use-access-token.",
        ),
        Unusable::NotOurs(error) | Unusable::Other(error) => error,
    })
}

/// Checks that the sign-in is the one that was asked for: with `nonce`, and by the account that is expected.
fn check_who(who: &Who, nonce: Option<&str>, profile: &Profile) -> Result<(), AttemptFailure> {
    if let Some(nonce) = nonce
        && let Err(error) = who.check_belongs_to(nonce, &profile.client_id)
    {
        // Nothing of it is kept: it may be another user's sign-in.
        return Err(AttemptFailure::passing(error.explain("ID token")));
    }
    match &profile.account_hint {
        Some(hint) if !who.answers_to(hint) => Err(AttemptFailure::sticky(Error::sign_in_needed(
            format!("{} signed in, but {} was expected", who.shown(), kubectl_login_core::text::printable(hint, 100)),
            "Sign in with the expected account (a private browser window helps), or change --login-hint to the \
             name that is shown first, if that is the right one.",
        ))),
        _ => Ok(()),
    }
}

fn nobody(profile: &Profile, reason: Option<Error>, why: &str, way_on: &str) -> Error {
    let (reason, reference) =
        reason.map_or_else(Default::default, |error| (format!(" ({})", error.what), error.reference));
    // Only what is supported is advised: Entra has no such method here.
    let unattended = match (profile.method, &profile.provider) {
        (Method::Password, _) => {
            "\nTo sign in without a prompt: --username and --password in the kubeconfig user's exec.args."
        }
        (_, Provider::Oidc { .. }) => {
            "\nIn a pipeline, if the issuer allows it: --grant-type password with --username and --password in the kubeconfig user's exec.args."
        }
        (_, Provider::Entra { .. }) => "",
    };
    Error::sign_in_needed(
        format!("sign-in required{reason}, but no user can be prompted here: {why}"),
        format!("{way_on}{unattended}"),
    )
    .with_reference(reference)
}

fn no_keyring(error: &KeyError) -> Error {
    Error::failed(
        format!("the keyring was asked for and cannot be used: {}", messages::store::key_reason(error)),
        "Unlock or start the keyring, or use --token-cache-storage auto (or file).",
    )
}

/// One plain sentence after a sign-in, where there is something to know about where it is kept.
fn say_how_it_is_kept(
    request: &TokenRequest<'_>,
    sealing_key: Option<&SealingKey>,
    trouble: Option<KeyError>,
    write_error: Option<&StoreError>,
) {
    let root = request.store.root();
    let folder = root.map(|root| root.display().to_string()).unwrap_or_default();
    let other_home =
        paths::home_of_another_user(request.environment).map(|home| home.display().to_string()).unwrap_or_default();
    let sentence = match (sealing_key, trouble, write_error) {
        (Some(_), _, Some(error)) => {
            let next = root.map(|root| messages::store::next_steps(root, error)).unwrap_or_default();
            format!("The sign-in could not be remembered in {folder}: {}.\n{next}", messages::store::reason(error))
        }
        (Some(_), _, None) if !other_home.is_empty() => format!(
            "This runs as root, and {other_home} is another user's home. The sign-in is kept in {folder}, for root alone."
        ),
        (Some(_), Some(trouble), None) => format!(
            "The sign-in is kept in {folder}, sealed with a key file only your user can read ({}).\nThat protects stray copies and backups of the records, not against programs that run as you.",
            messages::store::key_reason(&trouble)
        ),
        (None, Some(trouble), _) => {
            let check = |root| files::check_folder(root, true).and_then(|()| files::check_writable(root));
            let failed = root.and_then(|root| Some((root, check(root).err()?)));
            let next = failed.map(|(root, error)| messages::store::file_steps(root, &error));
            let next = next.or_else(|| request.store.problem().map(messages::store::problem_steps)).unwrap_or_default();
            let reason = messages::store::key_reason(&trouble);
            format!("The sign-in is not remembered: {reason}.\n{next}").trim_end().to_owned()
        }
        _ => return,
    };
    request.person.say(&sentence);
}

/// Ends when somebody presses Ctrl-C or ends this process politely.
async fn interrupted() -> Error {
    Error::new(runtime::interrupted().await, "the sign-in was cancelled", "Sign in: kubectl login")
}
