//! What is wanted, once flags and environment have been understood: which token, from whom, kept how.
//!
//! A profile holds meanings, not spellings: `cli::profile` makes one from a command line, and everything below it
//! reads only this.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use kubectl_login_core::entra::{audience, cloud};
use kubectl_login_core::http::Network;
use kubectl_login_core::secret::Secret;

/// One wish for one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who issues it.
    pub provider: Provider,
    /// The application (OAuth client) that asks.
    pub client_id: String,
    /// The client's secret, where it has one.
    pub client_secret: Option<Secret>,
    /// How a person or a machine proves who it is.
    pub method: Method,
    /// The account that is expected to sign in; another one is refused.
    pub account_hint: Option<String>,
    /// Name and password, where the method is to send them.
    pub credentials: Credentials,
    /// Which of the tokens in an answer goes to the cluster.
    pub token_kind: TokenKind,
    /// How the issuer is reached.
    pub network: Network,
    /// Where the key of the sealed files is kept.
    pub storage: Storage,
    /// The browser to open, where one is opened at all.
    pub browser: Browser,
    /// How a sign-in in the browser is asked for, and comes back.
    pub authorization: Authorization,
    /// Where groups are looked up that the token does not list.
    pub groups: GroupsLookUp,
}

impl Profile {
    /// Whether opening a page may be all that a person needs, with nothing to read in a terminal. Entra's device code
    /// answer never has an address with the code in it (`verification_uri_complete`).
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

    /// The audience that a user confirms before a session is used for it: any but those of clusters that everyone has.
    /// `None` at issuers other than Entra, where the token is the client's; for this program's own use; and if the entry
    /// itself brings the credential, so that there is no session to borrow.
    pub fn audience_to_confirm(&self) -> Option<&str> {
        if self.token_kind == TokenKind::Own || !self.prompts() {
            return None;
        }
        let has_to_be_confirmed = |audience: &&str| !audience::is_in_every_tenant(audience);
        match &self.provider {
            Provider::Entra { server_id, .. } => Some(server_id.as_str()).filter(has_to_be_confirmed),
            // The same by the flags for any issuer.
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

    /// The same sign-in, for this program's own use of the service at `base` (Microsoft Graph): as `client` where that is
    /// given, which then has a session of its own. `None` where the issuer is no Entra tenant.
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

    /// The scopes that are asked for: sorted and each once for OpenID Connect (the order has no meaning), the server's
    /// `/.default` and what a session needs for Entra.
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

/// Who issues the token.
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
        /// Issuer URL, byte for byte as the issuer writes it.
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
    /// For codes where the issuer's discovery document offers S256; in the browser unless it offers other methods only.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Ways to prove who one is. More follow; each belongs to a class, and sessions are shared within a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Whichever of the next two this machine allows.
    Auto,
    /// Authorization code grant (RFC 6749 4.1), answered to a listener on this machine (RFC 8252).
    Browser,
    /// OAuth 2.0 device authorization grant (RFC 8628).
    DeviceCode,
    /// Authorization code grant, carried over by a person.
    Keyboard,
    /// Resource owner password credentials grant (RFC 6749 4.3).
    Password,
}

impl Method {
    /// The name that `status` shows: the flag's, at such a provider.
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

    /// Methods of one class prove the same thing, so that changing between them asks nobody again.
    pub fn class(self) -> &'static str {
        match self {
            Method::Auto | Method::Browser | Method::DeviceCode | Method::Keyboard | Method::Password => "human",
        }
    }
}

/// What [`Method::Password`] sends. Whatever is missing, a person is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name at the issuer, which need not be the account's name in tokens.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

/// Where groups are looked up that a token does not list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupsLookUp {
    /// The claim they stand in, in tokens and in UserInfo.
    pub claim: String,
    /// A client that may read them in Microsoft Graph, if it is not the profile's own.
    pub graph_client: Option<String>,
    /// Microsoft Graph, where the cloud's own file names it.
    pub graph: Option<Url>,
}

impl Default for GroupsLookUp {
    fn default() -> Self {
        GroupsLookUp { claim: "groups".to_owned(), graph_client: None, graph: None }
    }
}

/// How a sign-in in the browser is asked for, and comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Where to listen: the first of these that is free.
    pub listen: Vec<Listen>,
    /// The redirect address as it is registered, byte for byte; `http://HOST:PORT` of the listener without one.
    pub redirect_url: Option<String>,
    /// The name in that, if it is to be another one of this machine's.
    pub redirect_host: Option<String>,
    /// Certificate and key of the listener (PEM files); without them it speaks plain http.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The page the browser goes to in the end.
    pub page_afterwards: Option<Url>,
    /// How long somebody may take to sign in.
    pub human_time: Duration,
    /// Parameters besides the protocol's; one of the same name takes the place of ours.
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

/// An address of this machine that nobody else can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// An address of the loopback interface. The usual ones, 127.0.0.1 and ::1, are listened on besides.
    pub address: IpAddr,
    /// Port; 0 for any that is free.
    pub port: u16,
}

impl Default for Listen {
    fn default() -> Self {
        Listen { address: Ipv4Addr::LOCALHOST.into(), port: 0 }
    }
}

/// Which token of an answer is handed to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// The access token.
    Access,
    /// The ID token.
    Id,
    /// None: this program uses the access token itself, for a service that is no cluster.
    Own,
}

/// Where the key of the sealed files is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// The keyring where there is one that works, else a key file; decided once.
    Auto,
    /// The keyring or nothing.
    Keyring,
    /// A key file beside the data.
    File,
    /// Nothing is remembered.
    None,
}

/// The browser to open on a verification address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Browser {
    /// None: the address is only shown.
    Skip,
    /// The desktop's own.
    Desktop,
    /// This program, with the address as its only argument.
    Command(String),
}
