//! The inverse of `profile`: from a [`Profile`] to the arguments of a kubeconfig's exec entry, in the dialect of its provider.
//!
//! Read again in an empty environment, the arguments give an equal profile. What the environment adds (proxies,
//! `SSL_CERT_FILE`, `SSL_CERT_DIR`) is not part of an entry and is left out. Must not know who writes them where.

#![cfg_attr(not(test), expect(dead_code, reason = "for the commands that write kubeconfig entries, which come later"))]

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use kubectl_login::environment::Environment;
use kubectl_login::messages::ErrorMessage;
use kubectl_login::profile::{Authorization, Browser, Listen, Method, Pkce, Profile, Provider, Storage, TokenKind};
use kubectl_login_core::entra::cloud;
use kubectl_login_core::http::network::{EnvironmentRoots, Network, Proxies};
use kubectl_login_core::secret::Secret;

use super::args::go_duration_text;
use super::entry_reader::EntryReader;
use super::network::CaFiles;
use super::profile::{Dialect, GRANT_METHODS, INTERACTIVE_METHODS};
use super::{GET_TOKEN, authorization, name_value, profile};

/// The arguments of an exec entry. Debug shows no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExecArgs {
    dialect: Dialect,
    flags: Vec<Flag>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Flag {
    name: &'static str,
    value: Value,
}

#[derive(Clone, PartialEq, Eq)]
enum Value {
    /// The flag stands alone.
    None,
    Text(String),
    Hidden(Secret),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("None"),
            Value::Text(text) => text.fmt(f),
            Value::Hidden(secret) => secret.fmt(f),
        }
    }
}

/// Why there are no arguments for a profile.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExecArgsError {
    /// The dialect has no flag for this setting, or none that takes this value.
    #[error("no flag of {dialect:?} expresses this {setting:?}")]
    Inexpressible {
        /// The setting.
        setting: Setting,
        /// The flags that were tried.
        dialect: &'static str,
    },
    /// The value of this flag cannot be an argument: it holds a zero byte or is not Unicode.
    #[error("the value of {0} cannot be an argument")]
    NotAnArgument(&'static str),
    /// This program refuses an entry with these settings.
    #[error("an entry with these settings would be refused")]
    Refused(ErrorMessage),
}

/// A setting of a [`Profile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// Authority, tenant and server, or the issuer.
    Issuer,
    Scopes,
    Pkce,
    Client,
    ClientSecret,
    Method,
    AccountHint,
    Username,
    Password,
    TokenKind,
    CertificateAuthorities,
    SkippedVerification,
    RequestHeaders,
    NetworkTimeout,
    KeyStorage,
    Browser,
    ListenAddresses,
    RedirectUrl,
    ListenerCertificate,
    PageAfterwards,
    SignInTimeout,
    ExtraParameters,
    GroupsClaim,
    GraphClient,
    GraphUrl,
}

impl ExecArgs {
    /// The arguments for `profile`, in the dialect of its provider, without defaults.
    ///
    /// Errors: there are none that give an equal profile.
    pub(super) fn new(profile: &Profile) -> Result<ExecArgs, ExecArgsError> {
        let (dialect, flags) = match &profile.provider {
            Provider::Entra { .. } => (Dialect::Entra, entra(profile)?),
            Provider::Oidc { .. } => (Dialect::Oidc, oidc(profile)?),
        };
        let args = ExecArgs { dialect, flags: [flags, common(profile)?].concat() };
        args.check(profile)?;
        Ok(args)
    }

    /// The arguments as words, `get-token` first. Some may be secrets.
    pub(super) fn words(&self) -> Vec<String> {
        let words = self.flags.iter().flat_map(|flag| match flag.value() {
            None => vec![flag.name.to_owned()],
            // A value like a flag is attached to its own.
            Some(value) if self.dialect == Dialect::Entra && !value.starts_with('-') => {
                vec![flag.name.to_owned(), value.to_owned()]
            }
            Some(value) => vec![format!("{}={value}", flag.name)],
        });
        std::iter::once(GET_TOKEN.to_owned()).chain(words).collect()
    }

    /// Reads the words again.
    ///
    /// Errors: they do not mean `profile`.
    fn check(&self, profile: &Profile) -> Result<(), ExecArgsError> {
        let has_zero = |flag: &&Flag| flag.value().is_some_and(|value| value.contains('\0'));
        if let Some(flag) = self.flags.iter().find(has_zero) {
            return Err(ExecArgsError::NotAnArgument(flag.name));
        }
        // Every value but these two is read by what follows.
        let args = EntryReader::default().parse(&self.words()).map_err(|_| {
            let timeout = profile.network.timeout.is_some_and(|timeout| i64::try_from(timeout.as_nanos()).is_err());
            let is_network = timeout || profile.network.timeout.is_some_and(|timeout| timeout.is_zero());
            self.inexpressible(if is_network { Setting::NetworkTimeout } else { Setting::SignInTimeout })
        })?;
        let files = CaFiles::knowing(&profile.network.ca_files);
        let read = profile::settings(&args, &Environment::default(), None, &files);
        let read = read.map_err(ExecArgsError::Refused)?;
        match first_difference(profile, &read.profile) {
            None => Ok(()),
            Some(setting) => Err(self.inexpressible(setting)),
        }
    }

    fn inexpressible(&self, setting: Setting) -> ExecArgsError {
        let dialect = match self.dialect {
            Dialect::Entra => "Azure/kubelogin",
            Dialect::Oidc => "int128/kubelogin",
        };
        ExecArgsError::Inexpressible { setting, dialect }
    }
}

impl Flag {
    fn text(name: &'static str, value: impl Into<String>) -> Flag {
        Flag { name, value: Value::Text(value.into()) }
    }

    fn path(name: &'static str, path: &Path) -> Result<Flag, ExecArgsError> {
        path.to_str().map(|path| Flag::text(name, path)).ok_or(ExecArgsError::NotAnArgument(name))
    }

    fn hidden(name: &'static str, secret: Secret) -> Flag {
        Flag { name, value: Value::Hidden(secret) }
    }

    fn value(&self) -> Option<&str> {
        match &self.value {
            Value::None => None,
            Value::Text(text) => Some(text),
            Value::Hidden(secret) => Some(secret.expose()),
        }
    }
}

/// The flags of Azure/kubelogin, those that its convert-kubeconfig writes first and in its order.
fn entra(profile: &Profile) -> Result<Vec<Flag>, ExecArgsError> {
    let Provider::Entra { authority, tenant, server_id } = &profile.provider else { return Ok(Vec::new()) };
    let mut flags = vec![
        Flag::text("--login", name_of(profile.method, INTERACTIVE_METHODS, "Azure/kubelogin")?),
        Flag::text("--server-id", server_id),
        Flag::text("--client-id", &profile.client_id),
        Flag::text("--tenant-id", tenant),
    ];
    match cloud::environment_name(authority) {
        Some(name) if is_default_cloud(name) => {}
        Some(name) => flags.push(Flag::text("--environment", name)),
        None => flags.push(Flag::text("--authority-host", authority.as_str())),
    }
    match profile.authorization.listen.as_slice() {
        [Listen { port: 0, address }] if *address == Listen::default().address => {}
        [listen] if listen.address == Listen::default().address => {
            flags.push(Flag::text("--redirect-url", format!("http://localhost:{}", listen.port)));
        }
        several => flags.extend(listen_addresses(several)),
    }
    flags.extend(profile.groups.graph_client.iter().map(|client| Flag::text("--graph-client-id", client)));
    Ok(flags)
}

/// Whether a cloud is the default.
fn is_default_cloud(name: &str) -> bool {
    cloud::environment_names().first() == Some(&name)
}

/// The flags of int128/kubelogin.
fn oidc(profile: &Profile) -> Result<Vec<Flag>, ExecArgsError> {
    let Provider::Oidc { issuer, extra_scopes, pkce } = &profile.provider else { return Ok(Vec::new()) };
    let mut flags = vec![Flag::text("--oidc-issuer-url", issuer), Flag::text("--oidc-client-id", &profile.client_id)];
    flags.extend(profile.client_secret.iter().map(|secret| Flag::hidden("--oidc-client-secret", secret.clone())));
    flags.extend(extra_scopes.iter().map(|scope| Flag::text("--oidc-extra-scope", scope)));
    if profile.method != Method::Auto {
        flags.push(Flag::text("--grant-type", name_of(profile.method, GRANT_METHODS, "int128/kubelogin")?));
    }
    match pkce {
        Pkce::Auto => {}
        Pkce::Always => flags.push(Flag::text("--oidc-pkce-method", "S256")),
        Pkce::Never => flags.push(Flag::text("--oidc-pkce-method", "no")),
    }
    if profile.token_kind == TokenKind::Access {
        flags.push(Flag { name: "--oidc-use-access-token", value: Value::None });
    }
    let pair = |name, value| Secret::new(name_value::written(name, value));
    let headers = profile.network.headers.iter();
    flags.extend(headers.map(|(name, value)| Flag::hidden("--oidc-request-header", pair(name, value.expose()))));

    let Authorization { listen, redirect_url, redirect_host, extra_parameters, .. } = &profile.authorization;
    if *listen != authorization::usual_listen(redirect_url.as_deref()) {
        flags.extend(listen_addresses(listen));
    }
    flags.extend(redirect_url.iter().map(|url| Flag::text("--oidc-redirect-url", url)));
    flags.extend(redirect_host.iter().map(|name| Flag::text("--oidc-redirect-url-hostname", name)));
    let parameters = extra_parameters.iter().map(|(name, value)| name_value::written(name, value));
    flags.extend(parameters.map(|parameter| Flag::text("--oidc-auth-request-extra-params", parameter)));
    if profile.groups.claim != "groups" {
        flags.push(Flag::text("--groups-claim", &profile.groups.claim));
    }
    let credentials = &profile.credentials;
    flags.extend(credentials.username.iter().map(|name| Flag::text("--username", name)));
    flags.extend(credentials.password.iter().map(|password| Flag::hidden("--password", password.clone())));
    Ok(flags)
}

/// The flags that both dialects have.
fn common(profile: &Profile) -> Result<Vec<Flag>, ExecArgsError> {
    let mut flags: Vec<Flag> = profile.account_hint.iter().map(|hint| Flag::text("--login-hint", hint)).collect();
    match &profile.browser {
        Browser::Desktop => {}
        Browser::Skip => flags.push(Flag { name: "--skip-open-browser", value: Value::None }),
        Browser::Command(command) => flags.push(Flag::text("--browser-command", command)),
    }
    let authorization = &profile.authorization;
    if authorization.human_time != Authorization::default().human_time {
        flags.push(Flag::text("--authentication-timeout-sec", authorization.human_time.as_secs().to_string()));
    }
    if let Some((certificate, key)) = &authorization.certificate {
        flags.push(Flag::path("--local-server-cert", certificate)?);
        flags.push(Flag::path("--local-server-key", key)?);
    }
    let page = authorization.page_afterwards.iter();
    flags.extend(page.map(|page| Flag::text("--open-url-after-authentication", page.as_str())));
    match profile.storage {
        Storage::Auto => {}
        Storage::Keyring => flags.push(Flag::text("--token-cache-storage", "keyring")),
        Storage::File => flags.push(Flag::text("--token-cache-storage", "file")),
        Storage::None => flags.push(Flag::text("--token-cache-storage", "none")),
    }
    let network = &profile.network;
    flags.extend(network.timeout.map(|timeout| Flag::text("--timeout", go_duration_text(timeout))));
    for file in &network.ca_files {
        flags.push(Flag::path("--certificate-authority", file.path())?);
    }
    flags.extend(network.ca_data.iter().map(|data| Flag::text("--certificate-authority-data", data)));
    if network.insecure {
        flags.push(Flag { name: "--insecure-skip-tls-verify", value: Value::None });
    }
    Ok(flags)
}

fn listen_addresses(listen: &[Listen]) -> impl Iterator<Item = Flag> {
    let address = |listen: &Listen| std::net::SocketAddr::new(listen.address, listen.port).to_string();
    listen.iter().map(move |listen| Flag::text("--listen-address", address(listen)))
}

fn name_of(
    method: Method,
    known: &[(&'static str, Method)],
    dialect: &'static str,
) -> Result<&'static str, ExecArgsError> {
    let found = known.iter().find(|(_, known)| *known == method).map(|(name, _)| *name);
    found.ok_or(ExecArgsError::Inexpressible { setting: Setting::Method, dialect })
}

/// The first setting of `profile` that is different in `read`, which was read in an empty environment.
fn first_difference(profile: &Profile, read: &Profile) -> Option<Setting> {
    let Profile {
        provider,
        client_id,
        client_secret,
        method,
        account_hint,
        credentials,
        token_kind,
        network,
        storage,
        browser,
        authorization,
        groups,
    } = profile;
    let (network, read_network) = (without_environment(network), without_environment(&read.network));
    let (sign_in, read_sign_in) = (authorization, &read.authorization);
    let is_same_redirect =
        (&sign_in.redirect_url, &sign_in.redirect_host) == (&read_sign_in.redirect_url, &read_sign_in.redirect_host);
    let are_same_authorities = network.ca_files == read_network.ca_files && network.ca_data == read_network.ca_data;
    // If a setting has parts, the last comparison is of the whole.
    let compared = [
        // A parameter may have replaced the scopes.
        (Setting::ExtraParameters, sign_in.extra_parameters == read_sign_in.extra_parameters),
        (Setting::Scopes, scopes(provider) == scopes(&read.provider)),
        (Setting::Pkce, profile.pkce() == read.pkce()),
        (Setting::Issuer, *provider == read.provider),
        (Setting::Client, *client_id == read.client_id),
        (Setting::ClientSecret, *client_secret == read.client_secret),
        (Setting::Method, *method == read.method),
        (Setting::AccountHint, *account_hint == read.account_hint),
        (Setting::Username, credentials.username == read.credentials.username),
        (Setting::Password, *credentials == read.credentials),
        (Setting::TokenKind, *token_kind == read.token_kind),
        (Setting::CertificateAuthorities, are_same_authorities),
        (Setting::SkippedVerification, network.insecure == read_network.insecure),
        (Setting::RequestHeaders, network.headers == read_network.headers),
        (Setting::NetworkTimeout, network == read_network),
        (Setting::KeyStorage, *storage == read.storage),
        (Setting::Browser, *browser == read.browser),
        (Setting::ListenAddresses, sign_in.listen == read_sign_in.listen),
        (Setting::RedirectUrl, is_same_redirect),
        (Setting::ListenerCertificate, sign_in.certificate == read_sign_in.certificate),
        (Setting::PageAfterwards, sign_in.page_afterwards == read_sign_in.page_afterwards),
        (Setting::SignInTimeout, sign_in == read_sign_in),
        (Setting::GroupsClaim, groups.claim == read.groups.claim),
        (Setting::GraphClient, groups.graph_client == read.groups.graph_client),
        (Setting::GraphUrl, *groups == read.groups),
    ];
    compared.into_iter().find(|(_, is_same)| !is_same).map(|(setting, _)| setting)
}

fn scopes(provider: &Provider) -> Option<&[String]> {
    match provider {
        Provider::Oidc { extra_scopes, .. } => Some(extra_scopes),
        Provider::Entra { .. } => None,
    }
}

/// The part of `network` that an entry's arguments express.
fn without_environment(network: &Network) -> Network {
    Network {
        environment_roots: EnvironmentRoots::default(),
        proxies: Proxies::default(),
        pinned: None,
        ..network.clone()
    }
}
