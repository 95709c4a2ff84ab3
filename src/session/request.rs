//! A request for a token: what is wanted, and what the cache and the store have for it.

use std::cell::Cell;

use chrono::TimeDelta;

use super::RequestOptions;
use super::grant::Grant;
use super::identity::Identity;
use super::issuer;
use super::repeats::Repeats;
use super::sessions::{self, SessionName};
use crate::environment::Environment;
use crate::profile::Profile;
use crate::signin::{Notice, Person};
use crate::store::KeyError;
use crate::store::SealingKey;
use crate::store::files::FileVersion;
use crate::store::{Lookup, SessionFacts, SessionRecord, Store, StoreError, TokenFacts, TokenRecord};
use kubectl_login_core::clock;
use kubectl_login_core::oauth::challenge::ClaimsChallenge;

/// A token is refreshed when less than this is left of it, or half its life if that is shorter.
const MARGIN: TimeDelta = TimeDelta::minutes(5);
/// While this much is left, the token is used if a refresh fails.
const STILL_GOOD: TimeDelta = TimeDelta::seconds(30);
/// A token from further in the future than this was obtained before the clock was put back.
const CLOCK_JITTER: TimeDelta = TimeDelta::minutes(1);

/// One request for one token, and everything it needs.
pub struct TokenRequest<'a> {
    pub(super) profile: &'a Profile,
    pub(super) store: &'a Store,
    pub(super) environment: &'a Environment,
    pub(super) person: &'a dyn Person,
    pub(super) options: RequestOptions,
    /// The claims challenge that the user gave: the token has to answer it, so a cached one will not do.
    pub(super) challenge: Option<ClaimsChallenge>,
    pub(super) repeats: Option<Repeats<'a>>,
    pub(super) identity: &'a Identity,
}

/// What the cache has for a request.
pub(super) enum Cached {
    /// A token that is valid for longer than its margin.
    Fresh(TokenRecord),
    /// A token that is valid, but should be refreshed.
    Ending(TokenRecord),
    /// No token that can be used; with the reason if there is one that cannot be read.
    Nothing(Option<KeyError>),
}

/// Notices when another process stores the token of a request, at the price of one or two system calls a look.
pub(super) struct TokenWatch<'a> {
    request: &'a TokenRequest<'a>,
    seen: Cell<[Option<FileVersion>; 2]>,
}

impl<'a> TokenWatch<'a> {
    /// Begins with the token of now.
    pub(super) fn new(request: &'a TokenRequest<'a>) -> TokenWatch<'a> {
        let watch = TokenWatch { request, seen: Cell::default() };
        watch.seen.set(watch.versions());
        watch
    }

    /// Whether the token was stored again since the last look.
    pub(super) fn changed(&self) -> bool {
        let versions = self.versions();
        self.seen.replace(versions) != versions
    }

    fn versions(&self) -> [Option<FileVersion>; 2] {
        let Identity { token, token_here, .. } = self.request.identity;
        let version = |id: &String| self.request.store.token_version(id);
        [version(token), token_here.as_ref().and_then(version)]
    }
}

impl Cached {
    /// Whether `token` is newer than this.
    pub(super) fn is_older_than(&self, token: &TokenRecord) -> bool {
        match self {
            Cached::Fresh(known) | Cached::Ending(known) => known.obtained_at < token.obtained_at,
            Cached::Nothing(_) => true,
        }
    }

    /// Why a cached token cannot be read.
    pub(super) fn unreadable(&self) -> Option<KeyError> {
        match self {
            Cached::Nothing(reason) => reason.clone(),
            _ => None,
        }
    }
}

impl<'a> TokenRequest<'a> {
    /// A request for `profile` with this `identity`, with its cache in `store` and its prompts shown by `person`.
    pub fn new(
        profile: &'a Profile,
        identity: &'a Identity,
        store: &'a Store,
        environment: &'a Environment,
        person: &'a dyn Person,
        options: RequestOptions,
    ) -> TokenRequest<'a> {
        TokenRequest { profile, store, environment, person, options, challenge: None, repeats: None, identity }
    }

    /// The same request, for a token that answers `challenge`.
    pub fn answering(self, challenge: Option<ClaimsChallenge>) -> TokenRequest<'a> {
        TokenRequest { challenge, ..self }
    }

    /// The same request for a caller that may repeat it at once: what has just failed is not tried again.
    pub fn repeated_by(self, repeats: Repeats<'a>) -> TokenRequest<'a> {
        TokenRequest { repeats: Some(repeats), ..self }
    }

    /// What the cache has now.
    pub(super) fn cached(&self) -> Cached {
        let token = match sessions::newest_token(self.identity, self.store) {
            Lookup::Found(token) => token,
            Lookup::Absent => return Cached::Nothing(None),
            Lookup::Unreadable(error) => return Cached::Nothing(Some(error)),
        };
        let now = clock::now();
        let left = token.expires_at - now;
        let margin = MARGIN.min((token.expires_at - token.obtained_at) / 2);
        if left > margin && token.obtained_at <= now + CLOCK_JITTER {
            Cached::Fresh(token)
        } else if left >= STILL_GOOD {
            Cached::Ending(token)
        } else {
            Cached::Nothing(None)
        }
    }

    /// The sessions that may bring a token, the newest sign-in first.
    pub(super) fn usable_sessions(&self) -> Vec<SessionName> {
        sessions::usable(self.identity, &self.profile.network, self.store)
    }

    /// The cached token, if it will do in place of a new one.
    pub(super) fn usable<'m>(&self, cached: &'m Cached) -> Option<&'m TokenRecord> {
        match cached {
            Cached::Ending(token) if !self.wants_another() => Some(token),
            _ => None,
        }
    }

    /// Whether a new token that another process has obtained meanwhile will do.
    pub(super) fn takes_shared_token(&self) -> bool {
        !self.options.force_sign_in && self.challenge.is_none()
    }

    /// Whether the user must not be prompted although a sign-in would prompt.
    pub(super) fn is_non_interactive(&self) -> bool {
        self.options.non_interactive && self.profile.prompts()
    }

    /// Whether the session is still stored. A session that was deleted while this request worked on it stays deleted; the
    /// token is returned nevertheless.
    pub(super) fn is_wanted(&self, session: &SessionName) -> bool {
        self.store.has_session(&session.id)
    }

    /// The stored session, if the same user signed in, by subject and by name.
    pub(super) fn predecessor(
        &self,
        session: &SessionName,
        facts: &SessionFacts,
        subject: Option<&str>,
    ) -> Option<SessionRecord> {
        let (known, record, _) = self.store.session(&session.id).found()?;
        let is_same =
            record.subject.is_some() && record.subject.as_deref() == subject && known.account == facts.account;
        is_same.then_some(record)
    }

    /// Stores a token.
    pub(super) fn keep_token(
        &self,
        sealing_key: &SealingKey,
        session: &SessionName,
        grant: &Grant,
    ) -> Result<(), StoreError> {
        let facts = TokenFacts {
            session: session.id.clone(),
            audience: grant.audience.clone(),
            expires_at: grant.token.expires_at,
        };
        let record = TokenRecord { anchors: session.anchors.clone(), ..grant.token.clone() };
        self.store.save_token(sealing_key, self.identity.token_under(&session.anchors), &facts, &record)
    }

    /// Whether the issuer has asked for a new sign-in since the last one.
    fn is_due_for_a_sign_in(&self) -> bool {
        let session =
            self.store.session(&sessions::current(self.identity, &self.profile.network, self.store).id).found();
        session.is_some_and(|(facts, ..)| facts.needs_sign_in()) || self.open_challenge(None).is_some()
    }

    /// Warns of certificate authorities that could not be used.
    pub(super) fn warn_of_skipped(&self, issuer: &issuer::Issuer<'_>) {
        for problem in issuer.client.http.skipped() {
            self.person.say(Notice::SkippedAuthority(problem));
        }
    }

    /// Whether a valid token in the cache will not do.
    pub(super) fn wants_another(&self) -> bool {
        self.options.force_refresh
            || self.options.force_sign_in
            || self.challenge.is_some()
            // A user who was told to sign in, and does, gets a new token and not the old one.
            || (self.options.user_initiated && self.is_due_for_a_sign_in())
    }
}
