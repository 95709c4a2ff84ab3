//! The settings of one request for a token, independent of flags and environment variables: `cli::profile` makes a profile
//! from a command line, and everything below it reads only this.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use kubectl_login_core::entra::{audience, cloud};
use kubectl_login_core::http::Network;
use kubectl_login_core::secret::Secret;

/// The settings of one request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The issuer.
    pub provider: Provider,
    /// The application id of the OAuth client.
    pub client_id: String,
    /// The client's secret, if it has one.
    pub client_secret: Option<Secret>,
    /// The sign-in method.
    pub method: Method,
    /// The expected account; any other is refused.
    pub account_hint: Option<String>,
    /// User name and password, for the password method.
    pub credentials: Credentials,
    /// Which token of a response goes to the cluster.
    pub token_kind: TokenKind,
    /// How the issuer is reached: timeouts, proxies, certificate trust, headers.
    pub network: Network,
    /// Where the key of the sealed files is stored.
    pub storage: Storage,
    /// The browser to open.
    pub browser: Browser,
    /// The settings of a sign-in in the browser.
    pub authorization: Authorization,
    /// Where groups are looked up that the token does not list.
    pub groups: GroupSettings,
}

impl Profile {
    /// Whether an opened page can be enough for a sign-in, without text in a terminal. Entra's device code response never has
    /// an address with the code in it (`verification_uri_complete`).
    pub fn page_may_do_alone(&self) -> bool {
        match self.method {
            Method::Browser | Method::Auto => true,
            Method::DeviceCode => matches!(self.provider, Provider::Oidc { .. }),
            Method::Keyboard | Method::Password => false,
        }
    }

    /// Whether a sign-in prompts the user. User name and password may both be configured.
    pub fn prompts(&self) -> bool {
        let Credentials { username, password } = &self.credentials;
        self.method != Method::Password || username.is_none() || password.is_none()
    }

    /// The audience that the user has to confirm before a session is used for it: any but the well-known ones of clusters.
    /// `None` at issuers other than Entra, where the token is the client's; for this program's own use; and if the profile has
    /// user name and password, so that no other session can be misused.
    pub fn audience_to_confirm(&self) -> Option<&str> {
        if self.token_kind == TokenKind::Own || !self.prompts() {
            return None;
        }
        let has_to_be_confirmed = |audience: &&str| !audience::is_in_every_tenant(audience);
        match &self.provider {
            Provider::Entra { server_id, .. } => Some(server_id.as_str()).filter(has_to_be_confirmed),
            // Entra, by the flags for any issuer.
            Provider::Oidc { issuer, extra_scopes, .. } if self.token_kind == TokenKind::Access => {
                Url::parse(issuer).ok().filter(cloud::is_cloud_issuer)?;
                let scopes = extra_scopes.iter().filter_map(|scope| audience::resource_of(scope));
                // At endpoints of version 1.0 a parameter names it
                // (<https://learn.microsoft.com/previous-versions/azure/active-directory/azuread-dev/v1-protocols-oauth-code>).
                let parameters = self.authorization.extra_parameters.iter();
                let parameters = parameters.filter(|(name, _)| name.eq_ignore_ascii_case("resource"));
                scopes.chain(parameters.map(|(_, value)| value.as_str())).find(has_to_be_confirmed)
            }
            Provider::Oidc { .. } => None,
        }
    }

    /// Whether PKCE is used.
    pub fn pkce(&self) -> Pkce {
        match &self.provider {
            Provider::Entra { .. } => Pkce::Auto,
            Provider::Oidc { pkce, .. } => *pkce,
        }
    }

    /// The same profile for this program's own use of the service at `base` (Microsoft Graph), with another `client` if one is
    /// given, which then has its own session. `None` if the issuer is not an Entra tenant.
    pub fn for_service(&self, base: &str, client: Option<&str>) -> Option<Profile> {
        let Provider::Entra { authority, tenant, .. } = &self.provider else { return None };
        Some(Profile {
            provider: Provider::Entra {
                authority: authority.clone(),
                tenant: tenant.clone(),
                server_id: base.to_owned(),
            },
            client_id: client.unwrap_or(&self.client_id).to_owned(),
            token_kind: TokenKind::Own,
            ..self.clone()
        })
    }

    /// The scopes to request: for OpenID Connect sorted and each once (the order has no meaning); for Entra the server's
    /// `/.default` and what a session needs.
    pub fn wanted_scopes(&self) -> Vec<String> {
        match &self.provider {
            Provider::Entra { server_id, .. } => {
                let server = format!("{server_id}/.default");
                [&server, "openid", "offline_access", "profile"].map(str::to_owned).to_vec()
            }
            Provider::Oidc { extra_scopes, .. } => {
                let mut scopes: Vec<String> =
                    extra_scopes.iter().map(String::as_str).chain(["openid"]).map(str::to_owned).collect();
                scopes.sort();
                scopes.dedup();
                scopes
            }
        }
    }
}

/// The issuer of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Microsoft Entra ID: the endpoints follow from authority and tenant.
    Entra {
        /// Sign-in host, such as `https://login.microsoftonline.com/`; ends in a slash.
        authority: Url,
        /// Tenant id, verified domain, or `organizations`.
        tenant: String,
        /// Application id (or its URI) of the API server, without `/.default`.
        server_id: String,
    },
    /// Any OpenID Connect issuer: the endpoints come from its discovery document.
    Oidc {
        /// Issuer URL, exactly as in its discovery document.
        issuer: String,
        /// Scopes besides `openid`.
        extra_scopes: Vec<String>,
        /// Whether PKCE is used.
        pkce: Pkce,
    },
}

/// Whether PKCE (RFC 7636) with S256 is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// For device codes if the issuer's discovery document offers S256; in the browser unless it offers only other methods.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The sign-in methods. Each belongs to a class, and sessions are shared within a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One of the next two, depending on this machine.
    Auto,
    /// Authorization code grant (RFC 6749 4.1), with a redirect to a listener on this machine (RFC 8252).
    Browser,
    /// OAuth 2.0 device authorization grant (RFC 8628).
    DeviceCode,
    /// Authorization code grant, whose response the user pastes.
    Keyboard,
    /// Resource owner password credentials grant (RFC 6749 4.3).
    Password,
}

impl Method {
    /// The name that `status` shows: the flag's value for such a provider.
    pub fn name(self, provider: &Provider) -> &'static str {
        match (self, provider) {
            (Method::Auto, _) => "auto",
            (Method::Browser, Provider::Entra { .. }) => "interactive",
            (Method::Browser, Provider::Oidc { .. }) => "authcode",
            (Method::DeviceCode, _) => "devicecode",
            (Method::Keyboard, _) => "authcode-keyboard",
            (Method::Password, _) => "password",
        }
    }

    /// The class: another method of the same class needs no new sign-in.
    pub fn class(self) -> &'static str {
        match self {
            Method::Auto | Method::Browser | Method::DeviceCode | Method::Keyboard | Method::Password => "human",
        }
    }
}

/// What [`Method::Password`] sends. The user is asked for what is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user name at the issuer, which may differ from the account's name in tokens.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

/// Where groups are looked up that a token does not list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// The claim that lists them, in tokens and in UserInfo.
    pub claim: String,
    /// The client that may read them in Microsoft Graph, if it is another one than the profile's.
    pub graph_client: Option<String>,
    /// The base URL of Microsoft Graph, if the cloud's own file names it.
    pub graph: Option<Url>,
}

impl Default for GroupSettings {
    fn default() -> Self {
        GroupSettings { claim: "groups".to_owned(), graph_client: None, graph: None }
    }
}

/// The settings of a sign-in in the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The addresses to listen at; the first free one is used.
    pub listen: Vec<Listen>,
    /// The redirect URL as it is registered, byte for byte; without it, `http://HOST:PORT` of the listener.
    pub redirect_url: Option<String>,
    /// The host name in the redirect URL: another name of this machine.
    pub redirect_host: Option<String>,
    /// Certificate and key of the listener (PEM files); without them it uses plain http.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The page that the browser opens after the sign-in.
    pub page_afterwards: Option<Url>,
    /// The time limit for the user.
    pub human_time: Duration,
    /// Additional parameters of the authorization request; one with the same name replaces this program's.
    pub extra_parameters: Vec<(String, String)>,
}

impl Default for Authorization {
    fn default() -> Self {
        Authorization {
            listen: vec![Listen::default()],
            redirect_url: None,
            redirect_host: None,
            certificate: None,
            page_afterwards: None,
            human_time: Duration::from_secs(180),
            extra_parameters: Vec::new(),
        }
    }
}

/// A loopback address of this machine, which no other machine can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address. The listener also uses 127.0.0.1 and ::1.
    pub address: IpAddr,
    /// Port; 0 for any free one.
    pub port: u16,
}

impl Default for Listen {
    fn default() -> Self {
        Listen { address: Ipv4Addr::LOCALHOST.into(), port: 0 }
    }
}

/// Which token of a response the cluster gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// The access token.
    Access,
    /// The ID token.
    Id,
    /// None: this program uses the access token itself, for another service.
    Own,
}

/// Where the key of the sealed files is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// The keyring if it works, else a key file; decided once.
    Auto,
    /// The keyring or nothing.
    Keyring,
    /// A key file beside the data.
    File,
    /// Nothing is stored.
    None,
}

/// The browser to open a sign-in page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Browser {
    /// None: the address is only shown.
    Skip,
    /// The desktop's default.
    Desktop,
    /// This program, with the address as its only argument.
    Command(String),
}
