//! An interactive sign-in: from the question whether the user can be prompted to the session that is stored.

use std::cell::RefCell;
use std::time::Duration;

use super::attempt::{AttemptFailure, LockedRequest, SignInNeed};
use super::challenge;
use super::completed::{StoredAs, store_sign_in};
use super::coordination::HeldLock;
use super::history::HistoryFile;
use super::issuer::Issuer;
use super::request::TokenRequest;
use super::{ObtainError, sessions};
use crate::failure::{Confirmation, Failure};
use crate::issued_token::IssuedToken;
use crate::messages;
use crate::paths;
use crate::profile::{Method, Storage};
use crate::runtime::{self, StopSignal};
use crate::signin::confirmation;
use crate::signin::{
    self, ChosenMethod, FlowError, Interactivity, Notice, PromptReason, SignInContext, SignedIn, StorageNotice,
};
use crate::store::KeyError;
use crate::store::SealingKey;
use crate::store::{StoreError, files};
use kubectl_login_core::entra::refusals::Remedy;

impl LockedRequest<'_, '_> {
    /// Has the user sign in, for `reason`; `challenge` is what the issuer has just asked for.
    pub(super) async fn sign_in(
        &mut self,
        SignInNeed { reason, scopes, challenge }: SignInNeed,
    ) -> Result<IssuedToken, AttemptFailure> {
        let request = self.request;
        let TokenRequest { profile, store, person, .. } = *request;
        self.check_interactivity(reason.as_ref())?;
        let current = sessions::current(request.identity, &profile.network, store).id;
        let session = store.session(&current).found().map(|(_, record, _)| record);
        let unconfirmed = self.request.unconfirmed_audience(session.as_ref());
        let is_unconfirmed = unconfirmed.is_some();
        // A prompt in the terminal names it; a page alone does not.
        if let Some(audience) = unconfirmed.filter(|_| person.interactivity() != Interactivity::Terminal) {
            let confirmation = Confirmation::Audience(audience.to_owned());
            return Err(AttemptFailure::not_prompted(confirmation::missing(confirmation)));
        }
        self.check_may_prompt()?;
        let (sealing_key, key_error) = self.sealing_key()?;
        self.lock.announce_network();
        let opened = Issuer::open(profile, store, self.freshness(), profile.network.needed()).await;
        let mut issuer = opened.map_err(AttemptFailure::passing)?;
        // Unattended calls print nothing if they succeed.
        let prints = profile.prompts() || self.request.options.user_initiated;
        if prints {
            self.request.warn_of_skipped(&issuer);
        }
        issuer.client.challenge = self.request.open_challenge(challenge);
        let sign_in = InteractiveSignIn {
            request,
            history: &self.coordination.history,
            issuer: &issuer,
            scopes: &scopes,
            reason: reason.as_ref(),
            // A browser with a session would complete the sign-in before the user has read the prompt.
            choose_account: self.request.options.force_sign_in || is_unconfirmed,
            confirmed_pages: session.map(|record| record.pages).unwrap_or_default(),
            lock: RefCell::new(&mut self.lock),
        };
        let (mut signed_in, method, page) = sign_in.signed_in().await?;
        let responder = signed_in.responder.take();
        let stored_as = StoredAs { method, scopes: scopes.clone(), page, sealing_key: sealing_key.as_ref() };
        let outcome = store_sign_in(request, &issuer, signed_in, stored_as).await;
        if let Some(responder) = responder {
            let page_afterwards = profile.authorization.page_afterwards.as_ref();
            match &outcome {
                Ok((issued, _)) => {
                    let (beginning, rest) = messages::token::signed_in(issued, issued.facts.as_ref());
                    responder.respond(Ok(&format!("{beginning}{rest}")), page_afterwards).await;
                }
                Err(AttemptFailure::New { failure, .. } | AttemptFailure::Told(ObtainError { failure, .. })) => {
                    responder.respond(Err(&messages::failure::explain(failure, profile)), None).await;
                }
            }
        }
        let (issued, stored) = outcome?;
        self.coordination.history.set_challenge(None);
        tracing::info!("signed in");
        if prints {
            say_where_it_is_stored(request, sealing_key.as_ref(), key_error.as_ref(), stored.as_ref().err());
        }
        Ok(issued)
    }

    /// Checks that the user can be prompted, if the sign-in prompts; `reason` is why.
    fn check_interactivity(&self, reason: Option<&Failure>) -> Result<(), AttemptFailure> {
        let TokenRequest { profile, person, .. } = *self.request;
        let (true, Interactivity::None(cause)) = (profile.prompts(), person.interactivity()) else {
            return Ok(());
        };
        Err(AttemptFailure::not_prompted(match reason {
            // A refusal that a sign-in does not settle has its own advice.
            Some(failure) if failure.remedy() != Remedy::SignIn => failure.clone(),
            _ => Failure::NotPrompted {
                reason: reason.cloned().map(Box::new),
                cause,
                keyring_is_locked: self.pending.cached.unreadable() == Some(KeyError::Locked),
            },
        }))
    }

    /// The key for what the sign-in brings, if there is one, and why it is not in the keyring.
    fn sealing_key(&self) -> Result<(Option<SealingKey>, Option<KeyError>), AttemptFailure> {
        let storage = self.request.profile.storage;
        if storage == Storage::None {
            return Ok((None, None));
        }
        match self.request.store.sealing_key(storage) {
            Ok((sealing_key, reason)) => Ok((Some(sealing_key), reason)),
            // The keyring is required, so this fails before the user is prompted.
            Err(error) if storage == Storage::Keyring => Err(AttemptFailure::Told(Failure::Keyring(error).into())),
            Err(error) => Ok((None, Some(error))),
        }
    }
}

/// A sign-in, from the first prompt to the issuer's tokens.
struct InteractiveSignIn<'a, 'r> {
    request: &'a TokenRequest<'r>,
    history: &'a HistoryFile,
    issuer: &'a Issuer<'a>,
    scopes: &'a [String],
    /// Why a sign-in is needed although there was a session.
    reason: Option<&'a Failure>,
    choose_account: bool,
    /// Hosts of foreign sign-in pages that the user has confirmed.
    confirmed_pages: Vec<String>,
    lock: RefCell<&'a mut HeldLock>,
}

impl InteractiveSignIn<'_, '_> {
    /// What the sign-in brought, the method, and the host of a confirmed page on another site.
    async fn signed_in(&self) -> Result<(SignedIn, Method, Option<String>), AttemptFailure> {
        let InteractiveSignIn { request, issuer, .. } = self;
        let mut chosen = signin::chosen(request.profile, &issuer.client.endpoints(), request.person);
        loop {
            let is_page = matches!(chosen.method, Method::Browser | Method::Keyboard);
            let page = issuer.client.endpoints().foreign_page().filter(|_| is_page);
            if let Some(page) = &page {
                self.confirm(page).await?;
            }
            let outcome = self.attempt(&chosen).await?;
            issuer.cache_what_was_learned();
            let refusal = issuer.client.take_refusal();
            if let (Err(FlowError::Refused(_) | FlowError::Failed(_)), Some(refusal)) = (&outcome, refusal) {
                challenge::note_refusal(self.history, &refusal);
            }
            match outcome {
                Ok(signed_in) => {
                    self.announce_network();
                    return Ok((signed_in, chosen.method, page));
                }
                Err(FlowError::NoDeviceCodes(failure)) if chosen.may_try_page => {
                    chosen = ChosenMethod::page_after(failure);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Has the user confirm a sign-in page of another site, unless they have before, or have typed the command.
    async fn confirm(&self, page: &str) -> Result<(), AttemptFailure> {
        if self.request.options.user_initiated || self.confirmed_pages.iter().any(|known| known == page) {
            return Ok(());
        }
        let life = self.request.profile.authorization.human_time;
        let on_wait = self.on_wait();
        tokio::select! {
            biased;
            signal = runtime::interrupted() => return Err(AttemptFailure::sticky(cancelled(signal))),
            outcome = confirmation::ask(Confirmation::Page(page.to_owned()), self.request.person, life, &on_wait) => outcome?,
        }
        self.announce_network();
        Ok(())
    }

    /// One sign-in by the `chosen` method.
    async fn attempt(&self, chosen: &ChosenMethod) -> Result<Result<SignedIn, FlowError>, AttemptFailure> {
        let InteractiveSignIn { request, issuer, .. } = self;
        let profile = request.profile;
        let context = SignInContext {
            profile,
            client: &issuer.client,
            scopes: self.scopes,
            person: request.person,
            reason: PromptReason { failure: self.reason, choice: chosen.reason.as_ref() },
            choose_account: self.choose_account,
            on_wait: &self.on_wait(),
            on_answer: &|| self.announce_network(),
        };
        // The signal handlers come first: changes of the terminal have to be undone.
        tokio::select! {
            biased;
            signal = runtime::interrupted() => {
                let failure = signin::cancelled(chosen.method, signal, &issuer.client.endpoints());
                Err(match profile.prompts() {
                    true => AttemptFailure::sticky(failure),
                    // Unattended calls do not make this failure sticky.
                    false => AttemptFailure::Told(failure.into()),
                })
            }
            outcome = signin::sign_in(chosen.method, &context) => Ok(outcome),
        }
    }

    fn on_wait(&self) -> impl Fn(Duration) + '_ {
        |life| self.lock.borrow_mut().announce_person(life)
    }

    fn announce_network(&self) {
        self.lock.borrow_mut().announce_network();
    }
}

/// Tells the user after a sign-in where it is stored, unless that is the keyring.
fn say_where_it_is_stored(
    request: &TokenRequest<'_>,
    sealing_key: Option<&SealingKey>,
    key_error: Option<&KeyError>,
    write_error: Option<&StoreError>,
) {
    let (store, person) = (request.store, request.person);
    let other_home = paths::home_of_another_user(request.environment);
    let notice = match (sealing_key, key_error, write_error, store.root()) {
        (Some(_), _, Some(error), folder) => StorageNotice::NotWritten { folder, error },
        (Some(_), key_error, None, Some(folder)) => match (&other_home, key_error) {
            (Some(home), _) => StorageNotice::OtherHome { folder, home },
            (None, Some(error)) => StorageNotice::KeyFile { folder, error },
            (None, None) => return,
        },
        (None, Some(error), _, root) => {
            let check = |root| files::check_folder(root, true).and_then(|()| files::check_writable(root));
            let failed = root.and_then(|root| Some((root, check(root).err()?)));
            let folder = failed.as_ref().map(|(root, error)| (*root, error));
            person.say(Notice::Storage(StorageNotice::NoKey { error, folder, problem: store.problem() }));
            return;
        }
        _ => return,
    };
    person.say(Notice::Storage(notice));
}

/// The failure of a sign-in that was stopped outside a flow.
pub(super) fn cancelled(signal: StopSignal) -> Failure {
    Failure::Cancelled { signal, could_use_browser: false }
}
