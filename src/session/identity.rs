//! The identity of a session, and of a token in it: canonical, versioned hashes that name the files.
//!
//! Everything that changes which user would be signed in is part of the session's identity; everything else that changes what
//! the server would issue is part of the token's. Each part is hashed with its length, so two different lists of parts have
//! different hashes.
//!
//! The certificate authorities that the environment adds (`SSL_CERT_FILE`, `SSL_CERT_DIR`) are not parts: the warm path reads
//! no certificates, and a new certificate in a bundle must not sign the user out. A session that was signed in under such an
//! authority has another name instead ([`Identity::session_under`]), and so have its tokens.

use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::profile::{Profile, Provider, TokenKind};
use kubectl_login_core::entra::cloud;
use kubectl_login_core::http::environment_proxy;
use kubectl_login_core::http::network::Network;
use kubectl_login_core::kube::kubeconfig::KubeconfigCluster;
use kubectl_login_core::secret::Secret;
use kubectl_login_core::text::hex;

/// Names of the files of one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The session: authority or issuer, tenant, client and its secret, account hint, method class, user name, certificate
    /// trust, parameters of the sign-in page, request headers. The names of sessions under an authority of the environment are
    /// derived from it.
    pub session: String,
    /// The token in it: audience or scopes, kind.
    pub token: String,
    /// The same token in a session that was signed in under an authority of this environment; `None` if it adds none.
    pub token_here: Option<String>,
    /// The history of attempts: the session's. Environments that add other authorities have histories of their own.
    pub history: String,
    /// The configured password, as a hash; empty without one. Failures with another password do not count, so that a corrected
    /// one is tried at once.
    pub credential: String,
}

impl Identity {
    /// The identity of `profile`.
    pub fn new(profile: &Profile) -> Identity {
        let mut session = IdentityHash::new("kubectl-login session v1");
        let mut token = IdentityHash::new("kubectl-login token v1");
        match &profile.provider {
            Provider::Entra { authority, tenant, server_id } => {
                session.add("entra").add(&cloud::canonical(authority)).add(&tenant.to_ascii_lowercase());
                // Application ids are GUIDs, which are the same in any case.
                session.add(&profile.client_id.to_ascii_lowercase());
                token.add(&server_id.to_ascii_lowercase());
            }
            Provider::Oidc { issuer, .. } => {
                session.add("oidc").add(issuer).add(&profile.client_id);
                for scope in profile.wanted_scopes() {
                    token.add(&scope);
                }
            }
        }
        let secret = profile.client_secret.as_ref().map(|secret| hex(&Sha256::digest(secret.expose())));
        session.add(&secret.unwrap_or_default());
        session.add(&profile.account_hint.as_deref().unwrap_or_default().to_lowercase());
        session.add(profile.method.class());
        // With any method, so that another method for one sign-in leads to the same session.
        if let Some(name) = &profile.credentials.username {
            session.add("username").add(name);
        }
        session.add(&trust(&profile.network));
        // They may select the account. They count with any method, so that another method needs no new sign-in.
        let mut parameters: Vec<_> = profile.authorization.extra_parameters.iter().collect();
        parameters.sort();
        for (name, value) in parameters {
            session.add(name).add(value);
        }
        if !profile.network.headers.is_empty() {
            session.add(&format!("request headers {}", headers(&profile.network)));
        }
        let session = session.finish();

        token.add(match profile.token_kind {
            TokenKind::Access => "access",
            TokenKind::Id => "id",
            TokenKind::Own => "own",
        });
        token.add(&session);
        let here = here(&profile.network);
        let token_here = here.as_ref().map(|here| token.clone().add(here).finish());
        let shared = match &here {
            Some(here) => IdentityHash::new("kubectl-login session here v1").add(&session).add(here).finish(),
            None => session.clone(),
        };
        let credential = match &profile.credentials.password {
            Some(password) if !profile.prompts() => {
                IdentityHash::new("kubectl-login outcomes v1").add(&shared).add(password.expose()).finish()
            }
            _ => String::new(),
        };
        Identity { token: token.finish(), token_here, session, history: shared, credential }
    }

    /// The name of the session that was signed in under `anchors`, authorities that the environment adds; without anchors
    /// [`Identity::session`].
    pub fn session_under(&self, anchors: &[String]) -> String {
        if anchors.is_empty() {
            return self.session.clone();
        }
        let mut parts = IdentityHash::new("kubectl-login session under v1");
        parts.add(&self.session);
        for anchor in anchors {
            parts.add(anchor);
        }
        parts.finish()
    }

    /// The name of the token of the session [`Identity::session_under`]. If this environment adds no authorities, the system
    /// trusts the anchors by now, and the token is one of the plain session.
    pub fn token_under(&self, anchors: &[String]) -> &str {
        self.token_here.as_deref().filter(|_| !anchors.is_empty()).unwrap_or(&self.token)
    }

    /// The session of the client that reads the groups of `profile`, whose identity this is, if that is another client.
    pub fn session_for_groups(&self, profile: &Profile) -> Option<String> {
        let client = profile.groups.graph_client.as_deref()?;
        // The service is part of the token's identity only.
        let session = Identity::new(&profile.for_service("", Some(client))?).session;
        (session != self.session).then_some(session)
    }
}

/// The name of an issuer's cached documents with this network. Documents that came without certificate checks, under other
/// authorities (`extra_roots` are those of the environment), or with other headers have another name.
pub fn issuer_document(issuer: &str, network: &Network, extra_roots: &[String], what: &str) -> String {
    let mut parts = IdentityHash::new("kubectl-login issuer v2");
    parts.add(issuer).add(what).add(&trust(network)).add(&headers(network));
    for root in extra_roots {
        parts.add(root);
    }
    parts.finish()
}

/// The issuer of `profile` and the route to it: if one certificate authority or proxy fails, another may work.
pub(super) fn issuer_route(profile: &Profile) -> String {
    let network = &profile.network;
    let issuer = match &profile.provider {
        Provider::Entra { authority, tenant, .. } => format!("{authority}{tenant}"),
        Provider::Oidc { issuer, .. } => issuer.clone(),
    };
    let proxy = Url::parse(&issuer).ok().and_then(|url| environment_proxy(network, &url)).unwrap_or_default();
    let pinned = network.pinned.as_deref().unwrap_or_default();
    IdentityHash::new("kubectl-login route v1")
        .add(&issuer_document(&issuer, network, pinned, "route"))
        .add(&here(network).unwrap_or_default())
        .add(proxy)
        .finish()
}

/// The identity of a cluster: address, certificate authorities, name on its certificate, proxy. (Tunnels and local clusters
/// share addresses such as 127.0.0.1:6443.) `authority` is the content of the file with its certificate authorities, empty if
/// the cluster names none.
pub fn cluster(cluster: &KubeconfigCluster, authority: &[u8], network: &Network) -> String {
    let mut parts = IdentityHash::new("kubectl-login cluster v1");
    let server = cluster.server.as_deref().unwrap_or_default();
    let url = Url::parse(server).ok();
    parts.add(url.as_ref().map_or(server, Url::as_str));
    // The same authority in a file or in the kubeconfig is the same cluster.
    let authority = match &cluster.certificate_authority_data {
        Some(data) => {
            let data: String = data.split_ascii_whitespace().collect();
            base64::engine::general_purpose::STANDARD.decode(&data).unwrap_or(data.into_bytes())
        }
        None => authority.to_owned(),
    };
    parts.add(&hex(&Sha256::digest(authority.trim_ascii())));
    parts.add(if cluster.insecure_skip_tls_verify { "unchecked" } else { "checked" });
    parts.add(cluster.tls_server_name.as_deref().unwrap_or_default());
    let from_environment = || url.as_ref().and_then(|url| environment_proxy(network, url));
    parts.add(cluster.proxy_url.as_deref().or_else(from_environment).unwrap_or_default());
    // Without its own authorities, those of the environment count.
    if authority.is_empty() {
        parts.add(&here(network).unwrap_or_default());
    }
    parts.finish()
}

/// The paths of the certificate authorities that this environment adds; their content is not read. `None` if it adds none, or
/// if certificates are not checked.
fn here(network: &Network) -> Option<String> {
    let named = &network.environment_roots;
    if network.insecure || named.is_empty() {
        return None;
    }
    let mut parts = IdentityHash::new("kubectl-login here v1");
    for path in named.file.iter().chain(&named.folders) {
        parts
            .add(if named.file.as_ref() == Some(path) { "file" } else { "folder" })
            .add_bytes(path.as_os_str().as_encoded_bytes());
    }
    Some(parts.finish())
}

/// The request headers, independent of order and case.
fn headers(network: &Network) -> String {
    let named = network.headers.iter();
    let mut named: Vec<(String, &Secret)> = named.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    named.sort_by(|a, b| (&a.0, a.1.expose()).cmp(&(&b.0, b.1.expose())));
    let mut parts = IdentityHash::new("headers");
    for (name, value) in named {
        parts.add(&name).add(value.expose());
    }
    parts.finish()
}

/// The certificate trust of a connection in every environment: the system only, certificate authorities that flags add (by
/// their content), or no checks. A refresh token obtained with one of these is not sent with another.
fn trust(network: &Network) -> String {
    if network.insecure {
        return "unchecked".to_owned();
    }
    if network.ca_files.is_empty() && network.ca_data.is_empty() {
        return "checked".to_owned();
    }
    let mut parts = IdentityHash::new("checked");
    for file in &network.ca_files {
        parts.add(file.digest());
    }
    for data in &network.ca_data {
        parts.add(data.trim());
    }
    parts.finish()
}

/// A hash of a list of texts.
#[derive(Clone)]
pub(super) struct IdentityHash(Sha256);

impl IdentityHash {
    pub(super) fn new(version: &str) -> Self {
        let mut parts = IdentityHash(Sha256::new());
        parts.add(version);
        parts
    }

    pub(super) fn add(&mut self, part: &str) -> &mut Self {
        self.add_bytes(part.as_bytes())
    }

    pub(super) fn add_bytes(&mut self, part: &[u8]) -> &mut Self {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    pub(super) fn finish(&self) -> String {
        hex(&self.0.clone().finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Authorization, Browser, Credentials, GroupSettings, Method, Pkce, Storage};

    fn entra(authority: &str, tenant: &str, server: &str) -> Profile {
        Profile {
            provider: Provider::Entra {
                authority: Url::parse(authority).expect("a URL"),
                tenant: tenant.to_owned(),
                server_id: server.to_owned(),
            },
            ..oidc(&[])
        }
    }

    fn oidc(scopes: &[&str]) -> Profile {
        Profile {
            provider: Provider::Oidc {
                issuer: "https://issuer".to_owned(),
                extra_scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
                pkce: Pkce::Auto,
            },
            client_id: "client".to_owned(),
            client_secret: None,
            method: Method::DeviceCode,
            account_hint: None,
            credentials: Credentials::default(),
            token_kind: TokenKind::Id,
            network: Network::default(),
            storage: Storage::Auto,
            browser: Browser::Skip,
            authorization: Authorization::default(),
            groups: GroupSettings::default(),
        }
    }

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, Secret)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
    }

    #[test]
    fn one_sign_in_serves_every_server_of_a_client() {
        let one = Identity::new(&entra("https://login.microsoftonline.com/", "t", "s1"));
        let two = Identity::new(&entra("https://login.windows.net/", "T", "s2"));
        assert_eq!(one.session, two.session);
        assert_ne!(one.token, two.token);
    }

    #[test]
    fn who_is_signed_in_makes_another_session() {
        let base = Identity::new(&entra("https://login.microsoftonline.com/", "t", "s"));
        let mut hinted = entra("https://login.microsoftonline.com/", "t", "s");
        hinted.account_hint = Some("a@b".to_owned());
        let mut secret = oidc(&[]);
        secret.client_secret = Some(Secret::new("s"));
        let mut unchecked = oidc(&[]);
        unchecked.network.insecure = true;
        let mut asked_otherwise = oidc(&[]);
        asked_otherwise.authorization.extra_parameters = vec![("kc_idp_hint".to_owned(), "x".to_owned())];
        let mut own_authority = oidc(&[]);
        own_authority.network.ca_data = vec!["x".to_owned()];
        let by_password = |name: &str| {
            let credentials = Credentials { username: Some(name.to_owned()), password: Some(Secret::new("p")) };
            Profile { method: Method::Password, credentials, ..oidc(&[]) }
        };
        let others = [
            Identity::new(&by_password("alice")),
            Identity::new(&by_password("bob")),
            Identity::new(&asked_otherwise),
            Identity::new(&own_authority),
            Identity::new(&entra("https://login.microsoftonline.us/", "t", "s")),
            Identity::new(&entra("https://login.microsoftonline.com/", "u", "s")),
            Identity::new(&hinted),
            Identity::new(&oidc(&[])),
            Identity::new(&secret),
            Identity::new(&unchecked),
        ];
        for (at, other) in others.iter().enumerate() {
            assert_ne!(base.session, other.session);
            assert!(others[at + 1..].iter().all(|later| later.session != other.session));
        }
    }

    #[test]
    fn order_does_not_matter_and_content_does() {
        let mut one = oidc(&["email", "groups"]);
        one.network.headers = headers(&[("A", "1"), ("B", "2")]);
        let mut two = oidc(&["groups", "email", "openid", "email"]);
        two.network.headers = headers(&[("B", "2"), ("a", "1")]);
        assert_eq!(Identity::new(&one), Identity::new(&two));
        assert_ne!(Identity::new(&one).token, Identity::new(&oidc(&["email"])).token);
        assert_eq!(Identity::new(&oidc(&["groups"])).session, Identity::new(&oidc(&["email"])).session);
    }

    #[test]
    fn request_headers_separate_sessions() {
        let mut with = oidc(&[]);
        with.network.headers = headers(&[("X-Route", "a")]);
        let mut other = oidc(&[]);
        other.network.headers = headers(&[("X-Route", "b")]);
        let sessions = [&with, &other, &oidc(&[])].map(|profile| Identity::new(profile).session);
        assert!(sessions[0] != sessions[1] && sessions[1] != sessions[2] && sessions[0] != sessions[2]);
    }

    #[test]
    fn authorities_of_the_environment_separate_what_was_obtained_under_them() {
        let plain = Identity::new(&oidc(&[]));
        let under = |file: &str| {
            let mut profile = oidc(&[]);
            profile.network.environment_roots.file = Some(file.into());
            Identity::new(&profile)
        };
        let (one, two) = (under("/a.pem"), under("/b.pem"));
        assert_eq!((&plain.session, &plain.token, &plain.token_here), (&one.session, &one.token, &None));
        assert!(one.token_here != two.token_here && one.history != two.history && one.history != plain.history);
        let anchors = ["f".to_owned()];
        assert_eq!(one.session_under(&anchors), two.session_under(&anchors));
        assert_ne!(one.session_under(&anchors), one.session_under(&[]));
        assert_eq!((one.token_under(&[]), Some(one.token_under(&anchors))), (&*plain.token, one.token_here.as_deref()));
        assert_eq!(plain.token_under(&anchors), plain.token);
    }

    #[test]
    fn issuer_route_differs_in_proxy_and_authorities() {
        use kubectl_login_core::http::network::ProxyVariable;
        fn through(network: &mut Network, address: &str) {
            network.proxies.https = Some(ProxyVariable { name: "HTTPS_PROXY", address: address.to_owned() });
        }
        let route = |change: fn(&mut Network)| {
            let mut profile = oidc(&[]);
            change(&mut profile.network);
            issuer_route(&profile)
        };
        let different = [
            route(|_| {}),
            route(|network| through(network, "http://a:1")),
            route(|network| through(network, "http://b:1")),
            route(|network| network.environment_roots.file = Some("/a.pem".into())),
            route(|network| network.ca_data = vec!["x".to_owned()]),
        ];
        for (at, one) in different.iter().enumerate() {
            assert!(!different[at + 1..].contains(one), "{at}");
        }
        let direct = route(|network| {
            through(network, "http://a:1");
            network.proxies.no_proxy = Some("issuer".to_owned());
        });
        assert_eq!(direct, different[0]);
    }

    #[test]
    fn cluster_identity_differs_in_everything_that_leads_to_another_cluster() {
        let base =
            KubeconfigCluster { server: Some("https://127.0.0.1:6443".to_owned()), ..KubeconfigCluster::default() };
        let with = |change: fn(&mut KubeconfigCluster)| {
            let mut changed = base.clone();
            change(&mut changed);
            cluster(&changed, b"", &Network::default())
        };
        let different = [
            with(|_| {}),
            with(|cluster| cluster.server = Some("https://localhost:6443".to_owned())),
            with(|cluster| cluster.certificate_authority_data = Some("YQ==".to_owned())),
            with(|cluster| cluster.certificate_authority_data = Some("Yg==".to_owned())),
            with(|cluster| cluster.tls_server_name = Some("a".to_owned())),
            with(|cluster| cluster.proxy_url = Some("http://a:1".to_owned())),
            with(|cluster| cluster.proxy_url = Some("http://a:2".to_owned())),
            with(|cluster| cluster.insecure_skip_tls_verify = true),
        ];
        for (at, one) in different.iter().enumerate() {
            assert!(!different[at + 1..].contains(one), "{at}");
        }
        assert_eq!(with(|cluster| cluster.server = Some("https://127.0.0.1:6443/".to_owned())), different[0]);
        let folded = with(|cluster| cluster.certificate_authority_data = Some("YQ\n==".to_owned()));
        assert_eq!(folded, different[2]);
    }
}
