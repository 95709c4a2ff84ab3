//! The part of the work that a person has a hand in: a sign-in from the question whether anybody is there to the token
//! that is kept.

use std::cell::RefCell;

use chrono::Utc;
use tokio::time::Instant;

use super::grant::{self, Unusable};
use super::issuer::{self, Issuer};
use super::sessions::Named;
use super::work::{Work, WorkFailure};
use super::{Failed, How, Obtained, Road, sessions};
use crate::error::{Error, Kind};
use crate::oauth::challenge::Challenge;
use crate::paths;
use crate::profile::{Method, Profile, Provider, Storage};
use crate::runtime;
use crate::signin::confirmation::{self, Confirmation};
use crate::signin::{self, Chosen, Desk, NoTokens, Reach, SignedIn, Why};
use crate::store::key::HomeError;
use crate::store::records::Keeper;
use crate::store::{SessionFacts, SessionRecord, TokenRecord, files, remedy};

impl Work<'_, '_> {
    /// Has a person sign in, for `reason`; `challenge` is what the issuer asked for just now.
    pub(super) async fn sign_in(
        self,
        reason: Option<Error>,
        scopes: Vec<String>,
        challenge: Option<Challenge>,
    ) -> Result<Obtained, WorkFailure> {
        let Road { profile, store, person, .. } = *self.road;
        if profile.needs_a_person()
            && let Reach::Nobody { why, way_on } = person.reach()
        {
            // A refusal whose own words lead further is not for a sign-in to settle.
            if let Some(error) = reason.as_ref().filter(|error| error.kind != Kind::SignInNeeded) {
                return Err(WorkFailure::nobody(error.clone()));
            }
            let way_on = match self.unreadable {
                Some(HomeError::Locked) => format!("Unlock the keyring, then try again.\n{way_on}"),
                _ => way_on,
            };
            return Err(WorkFailure::nobody(nobody(profile, reason, &why, &way_on)));
        }
        let current = sessions::current(profile, store).id;
        let session = self.road.store.session(&current).found().map(|(_, record, _)| record);
        let unconfirmed = self.road.unconfirmed_audience(session.as_ref());
        let is_unconfirmed = unconfirmed.is_some();
        // A prompt names it; a page by itself does not.
        if let Some(audience) = unconfirmed.filter(|_| person.reach() != Reach::Terminal) {
            return Err(WorkFailure::nobody(Confirmation::Audience(audience).missing()));
        }
        let pages = session.map(|record| record.pages).unwrap_or_default();
        let reason = reason.map(|error| match error.reference {
            Some(reference) => format!("{} [{reference}]", error.what),
            None => error.what,
        });
        (self.may_ask)().map_err(WorkFailure::Told)?;
        let (keeper, trouble) = match profile.storage {
            Storage::None => (None, None),
            storage => match store.keeper(storage) {
                Ok((keeper, reason)) => (Some(keeper), reason),
                // Asked for by name, so it is said before a person's time is spent.
                Err(error) if storage == Storage::Keyring => {
                    return Err(WorkFailure::Told(no_keyring(&error).into()));
                }
                Err(error) => (None, Some(error)),
            },
        };
        self.lock.announce_network();
        let limit = profile.network.needed();
        let opened = Issuer::open(profile, store, self.freshness(), limit).await;
        let mut issuer = opened.map_err(|unopened| WorkFailure::passing(unopened.into()))?;
        self.road.mention_skipped(&issuer);
        issuer.client.challenge = self.road.open_challenge(challenge);
        let lock = RefCell::new(self.lock);
        let on_wait = |life| lock.borrow_mut().announce_person(life);
        let on_answer = || lock.borrow_mut().announce_network();
        let (mut chosen, mut page_is_left) = signin::chosen(profile, &issuer.client.endpoints(), person);
        let (mut signed_in, page) = loop {
            let is_page = matches!(chosen.method, Method::Browser | Method::Keyboard);
            let page = issuer.client.endpoints().foreign_page().filter(|_| is_page);
            if let Some(page) =
                page.as_deref().filter(|page| !self.road.insist.typed && !pages.iter().any(|known| known == page))
            {
                let life = profile.authorization.human_time;
                tokio::select! {
                    biased;
                    error = interrupted() => return Err(WorkFailure::sticky(error)),
                    outcome = confirmation::ask(Confirmation::Page(page), person, life, &on_wait) => outcome?,
                }
                on_answer();
            }
            let desk = Desk {
                profile,
                client: &issuer.client,
                scopes: &scopes,
                person,
                why: Why { reason: reason.as_deref(), choice: chosen.why.as_deref() },
                // A browser that is signed in already would answer for a user who has not read the prompt.
                choose_account: self.road.insist.on_sign_in || is_unconfirmed,
                on_wait: &on_wait,
                on_answer: &on_answer,
            };
            // The handlers of signals first: what is done to the terminal has to be undone.
            let outcome = tokio::select! {
                biased;
                // Who asked nobody has nobody to be spared.
                error = interrupted() => {
                    let next = signin::after_cancelling(chosen.method, profile, &issuer.client.endpoints());
                    let error = Error { next, ..error };
                    return Err(match profile.needs_a_person() {
                        true => WorkFailure::sticky(error),
                        false => WorkFailure::Told(error.into()),
                    });
                }
                outcome = signin::way(chosen.method).sign_in(&desk) => outcome,
            };
            issuer.keep_what_was_learnt();
            let refusal = issuer.client.take_refusal();
            if let (Err(NoTokens::Refused(_) | NoTokens::Failed(_)), Some(refusal)) = (&outcome, refusal) {
                self.road.note_refusal(&refusal);
            }
            match outcome {
                Ok(signed_in) => break (signed_in, page),
                Err(NoTokens::NotForThisClient(error)) if std::mem::take(&mut page_is_left) => {
                    chosen = Chosen::page_after(&error);
                }
                Err(ending) => return Err(ending.into()),
            }
        };
        on_answer();
        let visitor = signed_in.visitor.take();
        let kept_as = KeptAs { method: chosen.method, scopes, page, keeper: keeper.as_ref() };
        let outcome = take_in(self.road, &issuer, signed_in, kept_as).await;
        if let Some(visitor) = visitor {
            let page_afterwards = profile.authorization.page_afterwards.as_ref();
            match &outcome {
                Ok((obtained, _)) => {
                    let (beginning, rest) = obtained.sentence(obtained.facts.as_ref());
                    visitor.tell(Ok(&format!("{beginning}{rest}")), page_afterwards).await;
                }
                Err(WorkFailure::New { error, .. } | WorkFailure::Told(Failed { error, .. })) => {
                    visitor.tell(Err(error), None).await;
                }
            }
        }
        let (obtained, kept) = outcome?;
        self.road.forget_challenge();
        tracing::info!("signed in");
        // Nobody reads what comes of a call that asks nobody.
        if profile.needs_a_person() || self.road.insist.typed {
            say_how_it_is_kept(self.road, keeper.as_ref(), trouble, kept.as_ref().err());
        }
        Ok(obtained)
    }
}

/// What is noted down of a sign-in besides what it brought, and with which key.
struct KeptAs<'a> {
    method: Method,
    scopes: Vec<String>,
    /// A sign-in page that the user has confirmed.
    page: Option<String>,
    keeper: Option<&'a Keeper>,
}

/// Looks at what a sign-in brought and keeps it. The token in hand comes out even where it could not be kept; whether it
/// was comes out beside it.
async fn take_in(
    road: &Road<'_>,
    issuer: &Issuer<'_>,
    signed_in: SignedIn,
    KeptAs { method, scopes, page, keeper }: KeptAs<'_>,
) -> Result<(Obtained, std::io::Result<()>), WorkFailure> {
    let profile = road.profile;
    let granted = signed_in.granted;
    let who = grant::who(&granted);
    if let Some(nonce) = &signed_in.nonce
        && let Err(error) = who.check_belongs_to(nonce, &profile.client_id)
    {
        // Nothing of it is kept: it may be somebody else's sign-in.
        return Err(WorkFailure::passing(issuer::unusable(&error.to_string(), error.next())));
    }
    if let Some(hint) = &profile.account_hint
        && !who.answers_to(hint)
    {
        let error = Error::sign_in_needed(
            format!("{} signed in, but {} was expected", who.shown(), crate::text::printable(hint, 100)),
            "Sign in with the expected account (a private browser window helps), or change --login-hint to the \
             name that is shown first, if that is the right one.",
        );
        return Err(WorkFailure::sticky(error));
    }
    let facts = SessionFacts {
        issuer: issuer.client.endpoints().issuer.clone(),
        tenant: match &profile.provider {
            Provider::Entra { tenant, .. } => Some(tenant.clone()),
            Provider::Oidc { .. } => None,
        },
        client: profile.client_id.clone(),
        account: who.account.clone(),
        method: method.name(&profile.provider).to_owned(),
        refreshable: grant::refresh_token(&granted).is_some(),
        refused: false,
        refusal: None,
        signed_in_at: Some(Utc::now()),
        base: None,
        anchors: Vec::new(),
    };
    let deadline = Instant::now() + profile.network.needed();
    let grant = tokio::select! {
        biased;
        error = interrupted() => Err(Unusable::Other(error)),
        grant = grant::read(issuer, profile, &granted, deadline) => grant,
    };
    // Only now that everything has been asked: keys count as well as endpoints.
    let anchors = issuer.anchors();
    let session = Named { id: road.identity.session_under(&anchors), anchors };
    let base = (!session.anchors.is_empty()).then(|| road.identity.session.clone());
    let facts = SessionFacts { base, anchors: session.anchors.clone(), ..facts };
    let refresh_token = grant::refresh_token(&granted);
    let before = road.predecessor(&session, &facts, who.subject.as_deref());
    let audiences = road.confirmed_audiences(before.as_ref());
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
    let kept = match (&grant, keeper) {
        (Err(Unusable::NotOurs(_)), _) | (_, None) => Ok(()),
        // What somebody else obtained goes first: no crash leaves it with this sign-in.
        (_, Some(keeper)) => {
            let forgotten = if before.is_some() { Ok(()) } else { road.store.forget_tokens(&session.id) };
            forgotten.and_then(|()| road.store.keep_session(keeper, &session.id, &facts, &record))
        }
    };
    let grant = grant.map_err(|unusable| {
        WorkFailure::passing(match unusable {
            Unusable::NoIdToken => Error::failed(
                "the issuer gave no ID token",
                "Ask whoever runs the issuer to allow the scope openid for this client, or use --oidc-use-access-token.",
            ),
            Unusable::NotOurs(error) | Unusable::Other(error) => error,
        })
    })?;
    let keep_token = |keeper| road.keep_token(keeper, &session, &grant);
    let kept = kept.and_then(|()| keeper.filter(|_| road.is_wanted(&session)).map_or(Ok(()), keep_token));
    let home = keeper.filter(|_| kept.is_ok()).map(|keeper| keeper.home);
    let TokenRecord { token, expires_at, .. } = grant.token;
    Ok((Obtained { token, expires_at, how: How::SignedIn, facts: Some(facts), home, anchors: session.anchors }, kept))
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
        format!("somebody has to sign in{reason}, and nobody can be asked here: {why}"),
        format!("{way_on}{unattended}"),
    )
    .with_reference(reference)
}

fn no_keyring(error: &HomeError) -> Error {
    Error::failed(
        format!("the keyring was asked for and cannot be used: {error}"),
        "Unlock or start the keyring, or use --token-cache-storage auto (or file).",
    )
}

/// One plain sentence after a sign-in, where there is something to know about where it is kept.
fn say_how_it_is_kept(
    road: &Road<'_>,
    keeper: Option<&Keeper>,
    trouble: Option<HomeError>,
    write_error: Option<&std::io::Error>,
) {
    let root = road.store.root();
    let folder = root.map(|root| root.display().to_string()).unwrap_or_default();
    let other_home =
        paths::home_of_another_user(road.environment).map(|home| home.display().to_string()).unwrap_or_default();
    let sentence = match (keeper, trouble, write_error) {
        (Some(_), _, Some(error)) => {
            let next = root.map(|root| remedy::next(root, error)).unwrap_or_default();
            format!("The sign-in could not be remembered in {folder}: {}.\n{next}", remedy::reason(error))
        }
        (Some(_), _, None) if !other_home.is_empty() => format!(
            "This runs as root, and {other_home} is another user's home. The sign-in is kept in {folder}, for root alone."
        ),
        (Some(_), Some(trouble), None) => format!(
            "The sign-in is kept in {folder}, sealed with a key file only your user can read ({trouble}).\nThat protects stray copies and backups of the records, not against programs that run as you."
        ),
        (None, Some(trouble), _) => {
            let check = |root| files::check_folder(root, true).and_then(|()| files::check_writable(root));
            let failed = root.and_then(|root| Some((root, check(root).err()?)));
            let next = failed.map(|(root, error)| remedy::next(root, &error));
            let next = next.as_deref().or(road.store.remedy()).unwrap_or_default();
            format!("The sign-in is not remembered: {trouble}.\n{next}").trim_end().to_owned()
        }
        _ => return,
    };
    road.person.say(&sentence);
}

/// Ends when somebody presses Ctrl-C or ends this process politely.
async fn interrupted() -> Error {
    Error::new(runtime::interrupted().await, "the sign-in was cancelled", "Sign in: kubectl login")
}
