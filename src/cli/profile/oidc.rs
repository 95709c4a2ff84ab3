//! The profile of an entry for an OpenID Connect issuer, with the flags of int128/kubelogin.

use kubectl_login::environment::Environment;
use kubectl_login::messages::settings::SettingsError;
use kubectl_login::messages::{Explain as _, Result};
use kubectl_login::profile::{Credentials, GroupSettings, Method, Pkce, Profile, Provider, Storage, TokenKind};
use kubectl_login_core::entra::{audience, cloud};
use kubectl_login_core::http::network::Network;
use kubectl_login_core::oauth::discovery;
use kubectl_login_core::secret::Secret;

use super::super::args::GetTokenArgs;
use super::super::authorization;
use super::super::headers::headers;
use super::{GRANT_METHODS, GRANTS, LATER_GRANTS, account_hint, browser};

/// What the flags for OpenID Connect mean.
pub(super) fn profile(
    args: &GetTokenArgs,
    environment: &Environment,
    network: Network,
    storage: Storage,
) -> Result<Profile> {
    let grant = args.grant_type.as_str();
    if !GRANTS.contains(&grant) && !LATER_GRANTS.contains(&grant) {
        return Err(SettingsError::UnknownChoice {
            flag: "--grant-type",
            kind: "grant",
            word: grant.to_owned(),
            known: GRANTS,
            later: LATER_GRANTS,
        }
        .into());
    }
    let needed = |name, value: &Option<String>| {
        value.clone().filter(|text| !text.is_empty()).ok_or(SettingsError::MissingForOidc(name))
    };
    let issuer = needed("--oidc-issuer-url", &args.oidc_issuer_url)?;
    let client_id = needed("--oidc-client-id", &args.oidc_client_id)?;
    let issuer_url = discovery::issuer_url(&issuer).map_err(|error| error.explain(""))?;
    let by_grant = GRANT_METHODS.iter().find(|(name, _)| *name == grant).map(|(_, method)| *method);
    let method = match (by_grant, &args.username) {
        (Some(Method::Auto), Some(name)) if !name.is_empty() => Method::Password,
        (Some(method), _) => method,
        (None, _) => return Err(SettingsError::UnsupportedGrant(grant.to_owned()).into()),
    };
    let (authorization, other_scopes) = authorization::oidc_settings(args, method, environment)?;
    let extra_scopes = other_scopes.unwrap_or_else(|| args.oidc_extra_scope.clone());
    let use_access_token = args.oidc_use_access_token.unwrap_or(false);
    // Whichever token is used: entries with other settings share the session, and with it the scopes.
    for scope in &extra_scopes {
        audience::refuse_foreign(scope).map_err(|error| error.explain("sign in"))?;
    }
    if use_access_token && cloud::is_cloud_issuer(&issuer_url) {
        audience::refuse_graph_by_default(&extra_scopes).map_err(|error| error.explain("sign in"))?;
    }
    Ok(Profile {
        provider: Provider::Oidc { issuer, extra_scopes: scopes(&extra_scopes)?, pkce: pkce(args) },
        client_id,
        client_secret: args.oidc_client_secret.clone().filter(|text| !text.is_empty()).map(Secret::new),
        method,
        account_hint: account_hint(args),
        credentials: Credentials {
            username: args.username.clone().filter(|name| !name.is_empty()),
            password: args.password.clone().filter(|text| !text.is_empty()).map(Secret::new),
        },
        token_kind: if use_access_token { TokenKind::Access } else { TokenKind::Id },
        network: Network { headers: headers(&args.oidc_request_header)?, ..network },
        storage,
        browser: browser(&args.browser),
        authorization,
        groups: match args.groups_claim.clone().filter(|claim| !claim.is_empty()) {
            Some(claim) => GroupSettings { claim, ..GroupSettings::default() },
            None => GroupSettings::default(),
        },
    })
}

fn pkce(args: &GetTokenArgs) -> Pkce {
    match (args.oidc_use_pkce, args.oidc_pkce_method.as_str()) {
        (Some(true), _) | (_, "S256") => Pkce::Always,
        (_, "no") => Pkce::Never,
        _ => Pkce::Auto,
    }
}

/// The scopes that were `given`, of which empty ones are skipped.
fn scopes(given: &[String]) -> Result<Vec<String>, SettingsError> {
    let given = given.iter().map(|scope| scope.trim()).filter(|scope| !scope.is_empty());
    given
        .map(|scope| {
            // RFC 6749 3.3: a scope is one word of visible ASCII without quotes and backslashes.
            match scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')) {
                true => Ok(scope.to_owned()),
                false => Err(SettingsError::Scope(scope.to_owned())),
            }
        })
        .collect()
}
