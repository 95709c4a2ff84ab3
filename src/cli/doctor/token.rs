//! The token: whether a new one can be obtained, and what it says about itself.

use kubectl_login::environment::Environment;
use kubectl_login::messages::failure::explain;
use kubectl_login::messages::step::Step;
use kubectl_login::messages::token::in_units;
use kubectl_login::profile::{Profile, Provider, TokenKind};
use kubectl_login::runtime::StopSignal;
use kubectl_login::session::identity::Identity;
use kubectl_login::session::{RequestOptions, TokenRequest, sessions};
use kubectl_login::store::{SessionFacts, Store};
use kubectl_login_core::clock;
use kubectl_login_core::entra::subject::{GroupsClaim, Subject};
use kubectl_login_core::entra::tenant;
use kubectl_login_core::http::network::Network;
use kubectl_login_core::secret::Secret;
use kubectl_login_core::text::printable;

use super::finding::{CheckResult, Finding, SESSION, TOKEN};
use super::network::LIMIT;
use crate::ui::{PromptMode, Terminal};

/// The application of AKS clusters, in every tenant
/// (<https://learn.microsoft.com/azure/aks/kubelogin-authentication>).
pub(super) const AKS: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

/// A new token if no prompt is needed; otherwise the cached one while it is valid.
///
/// Errors: the user interrupted it.
pub(super) fn obtain(
    profile: &Profile,
    identity: &Identity,
    store: &Store,
    environment: &Environment,
    session: &Finding,
) -> Result<(Finding, Option<Secret>), StopSignal> {
    let cached = || sessions::newest_token(identity, store).found().filter(|token| token.expires_at > clock::now());
    if session.result == CheckResult::Skip || (session.has_failed() && cached().is_none()) {
        return Ok((Finding::skipped_because(SESSION), None));
    }
    // A check does not wait long for a server that does not respond; the entry's own limit may be longer.
    let timeout = profile.network.needed_at_most().min(LIMIT);
    let network = Network { timeout: Some(timeout), ..profile.network.clone() };
    let profile = Profile { network, ..profile.clone() };
    let terminal = Terminal::new(PromptMode::Never, &profile, None, environment);
    // A token may be valid for an hour after its session has ended, so a new one is requested.
    let options = RequestOptions {
        non_interactive: true,
        force_refresh: session.result == CheckResult::Ok,
        ..RequestOptions::default()
    };
    match TokenRequest::new(&profile, identity, store, environment, &terminal, options).obtain() {
        Ok(issued) => {
            let left = in_units(issued.expires_at - clock::now());
            let how = if options.force_refresh { "obtained without a prompt" } else { "cached" };
            Ok((Finding::ok(format!("{how}, valid for {left}")), Some(issued.token)))
        }
        Err(error) => {
            if let Some(signal) = error.failure.stopped_by() {
                return Err(signal);
            }
            let finding = Finding::from(explain(&error.failure, &profile));
            Ok(match cached() {
                Some(token) => {
                    let left = in_units(token.expires_at - clock::now());
                    let message = format!("the cached one is valid for {left}; after that: {}", finding.message);
                    (Finding { message, ..finding }.at_most_warning(), Some(token.token))
                }
                None => (finding, None),
            })
        }
    }
}

/// A token that was obtained, and what it says about itself.
pub(super) struct IssuedTokenChecks<'a> {
    pub(super) profile: &'a Profile,
    /// Its claims; `None` if it cannot be read.
    pub(super) subject: Option<Subject>,
    pub(super) audience: Finding,
    pub(super) groups: Finding,
}

impl<'a> IssuedTokenChecks<'a> {
    /// `tenant` is the id of the tenant that was named, and `facts` are the session's, as far as they are known.
    pub(super) fn new(
        token: &Secret,
        profile: &'a Profile,
        tenant: Option<&str>,
        facts: Option<&SessionFacts>,
    ) -> IssuedTokenChecks<'a> {
        let subject = Subject::read(token.expose(), &profile.groups.claim).ok();
        let audience = audience(profile, subject.as_ref(), tenant, facts);
        let groups = groups(profile, subject.as_ref());
        IssuedTokenChecks { profile, subject, audience, groups }
    }
}

/// The token's audience, issuer and account, compared with the profile. `tenant` is the id of the tenant that it names.
fn audience(
    profile: &Profile,
    subject: Option<&Subject>,
    tenant: Option<&str>,
    facts: Option<&SessionFacts>,
) -> Finding {
    let Some(subject) = subject else {
        return opaque();
    };
    let shown =
        |text: &Option<String>| text.as_deref().map_or_else(|| "no user".to_owned(), |text| printable(text, 200));
    let mut all = vec![Finding::ok(format!("for {}, from {}", shown(&subject.audience), shown(&subject.issuer)))];
    match &profile.provider {
        Provider::Entra { tenant: named, server_id, .. } => {
            all.extend(for_server(subject, server_id));
            let wanted = if tenant::is_tenant_id(named) { Some(named.as_str()) } else { tenant };
            all.extend(of_tenant(subject, wanted));
        }
        Provider::Oidc { issuer, .. } => all.extend(of_issuer(profile, subject, issuer)),
    }
    let account = subject.account.as_deref().or_else(|| facts.and_then(|facts| facts.account.as_deref()));
    if let (Some(hint), Some(account)) = (&profile.account_hint, account)
        && !hint.trim().eq_ignore_ascii_case(account)
    {
        all.push(Finding::warn(
            format!("it is for {}, but --login-hint names {}", printable(account, 200), printable(hint, 200)),
            "Sign in with that account: kubectl login --force\nOr correct --login-hint in the kubeconfig user's exec.args.",
        ));
    }
    Finding::merged(all)
}

fn for_server(subject: &Subject, server_id: &str) -> Vec<Finding> {
    let bare = |id: &str| id.strip_prefix("spn:").unwrap_or(id).trim_end_matches('/').to_ascii_lowercase();
    let wanted = bare(server_id);
    let audience = bare(subject.audience.as_deref().unwrap_or_default());
    let mut all = Vec::new();
    if audience != wanted && (tenant::is_tenant_id(&wanted) || !tenant::is_tenant_id(&audience)) {
        // Tokens of version 2.0 name an application by its id, however it was requested.
        all.push(Finding::fail(
            format!("it is for {:?}, but --server-id is {:?}", printable(&audience, 100), printable(server_id, 100)),
            Step::SignIn { force: true }.to_string(),
        ));
    }
    let is_version_2 = subject.issuer.as_deref().is_some_and(|issuer| issuer.trim_end_matches('/').ends_with("/v2.0"));
    if wanted == AKS && is_version_2 {
        all.push(Finding::warn(
            "it is a token of version 2.0, but AKS accepts those of version 1.0, from https://sts.windows.net/",
            "Check --authority-host: Entra ID itself issues tokens of version 1.0 for AKS.",
        ));
    }
    all
}

fn of_tenant(subject: &Subject, wanted: Option<&str>) -> Option<Finding> {
    let (wanted, tenant) = (wanted?, subject.tenant.as_deref()?);
    (!wanted.eq_ignore_ascii_case(tenant)).then(|| {
        Finding::fail(
            format!("it is from the tenant {}, but the entry names {}", printable(tenant, 60), printable(wanted, 60)),
            "Check --tenant-id, then sign in again: kubectl login --force",
        )
    })
}

fn of_issuer(profile: &Profile, subject: &Subject, issuer: &str) -> Vec<Finding> {
    let mut all = Vec::new();
    if subject.issuer.as_deref().is_some_and(|named| named != issuer) {
        let named = printable(subject.issuer.as_deref().unwrap_or_default(), 200);
        all.push(Finding::fail(
            format!("it is from {named:?}, but --oidc-issuer-url is {:?}", printable(issuer, 200)),
            "Set --oidc-issuer-url to exactly what the issuer calls itself in its discovery document.",
        ));
    }
    let audience = subject.audience.as_deref().unwrap_or_default();
    if profile.token_kind == TokenKind::Id && !audience.split(' ').any(|one| one == profile.client_id) {
        all.push(Finding::fail(
            format!(
                "it is for {:?}, not for the client {:?}",
                printable(audience, 100),
                printable(&profile.client_id, 100)
            ),
            Step::SignIn { force: true }.to_string(),
        ));
    }
    all
}

/// What the token says about groups.
fn groups(profile: &Profile, subject: Option<&Subject>) -> Finding {
    let is_entra = matches!(profile.provider, Provider::Entra { .. });
    let Some(subject) = subject else { return opaque() };
    match &subject.groups {
        GroupsClaim::Listed(groups) if groups.len() == 1 => Finding::ok("1, in the token"),
        GroupsClaim::Listed(groups) => Finding::ok(format!("{}, all of them in the token", groups.len())),
        GroupsClaim::Unreadable => opaque(),
        GroupsClaim::Absent if is_entra => {
            Finding::ok("none in the token: you are in none, or the application does not request them")
        }
        GroupsClaim::Absent => {
            Finding::ok(format!("the token has no claim {:?}", printable(&profile.groups.claim, 60)))
        }
        GroupsClaim::Overage { .. } if subject.app_only => Finding::fail(
            "an application in more than 200 groups, which a token does not list; AKS rejects such applications",
            "Ask your administrator to remove it from groups, or to give it a role of its own.",
        ),
        GroupsClaim::Overage { .. } => Finding::warn(
            "more than 200, which a token does not list: bindings of groups only match if the cluster looks groups up itself, as AKS does",
            "To list all of them: kubectl login whoami --groups\nIf your client may not read them, name one that may, with --graph-client-id ID.",
        ),
    }
}

/// The finding for a token that is not a JWT.
fn opaque() -> Finding {
    Finding::skip("the token is opaque: only the issuer can read it")
}

/// The finding if there is no token.
pub(super) fn without() -> Finding {
    Finding::skipped_because(TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "11f6c3a2-5a8e-4d0b-9c36-2f4f3f7a8e10";

    fn subject(audience: &str, issuer: &str) -> Subject {
        let text = |text: &str| Some(text.to_owned());
        Subject { audience: text(audience), issuer: text(issuer), tenant: text(TENANT), ..Subject::default() }
    }

    fn outcome(audience: &str, server_id: &str) -> CheckResult {
        Finding::merged(for_server(&subject(audience, "https://sts.windows.net/t/"), server_id)).result
    }

    #[test]
    fn one_server_has_several_spellings() {
        for (audience, server_id) in [
            (AKS, AKS),
            (AKS, &AKS.to_uppercase()),
            ("spn:6dae42f8-4368-4678-94ff-3960e28e3630", AKS),
            ("api://server/", "api://server"),
            // By the newer endpoints an application is named by its id.
            (TENANT, "api://server"),
        ] {
            assert_eq!(outcome(audience, server_id), CheckResult::Skip, "{audience} for {server_id}");
        }
        for (audience, server_id) in [(TENANT, AKS), ("api://other", "api://server"), ("api://server", AKS)] {
            assert_eq!(outcome(audience, server_id), CheckResult::Fail, "{audience} for {server_id}");
        }
    }

    #[test]
    fn aks_takes_the_older_tokens() {
        let newer = subject(AKS, "https://login.microsoftonline.com/t/v2.0");
        assert_eq!(Finding::merged(for_server(&newer, AKS)).result, CheckResult::Warn);
        assert!(for_server(&subject("x", "https://login.microsoftonline.com/t/v2.0"), "x").is_empty());
    }

    #[test]
    fn a_tenant_is_compared_by_its_id() {
        let subject = subject(AKS, "i");
        assert_eq!(of_tenant(&subject, Some(&TENANT.to_uppercase())), None);
        assert_eq!(of_tenant(&subject, None), None);
        assert!(of_tenant(&subject, Some(AKS)).is_some_and(|finding| finding.has_failed()));
    }
}
