//! What the errors of the OAuth and OpenID Connect protocols mean to the user.

use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::discovery::{DiscoveryError, IssuerUrlError};
use kubectl_login_core::oauth::jwks::VerifyError;
use kubectl_login_core::oauth::userinfo::UserInfoError;

use super::http::{Peer, transport_error};
use super::{ErrorMessage, Explain};

const ASK_ADMINISTRATOR: &str = "Ask the issuer's administrator.";

impl Explain for TokenRequestError {
    fn explain(&self, purpose: &str) -> ErrorMessage {
        match self {
            TokenRequestError::Transport(error) => transport_error(error, purpose, Peer::Issuer),
            TokenRequestError::Refused(response) => response.explain(purpose),
            TokenRequestError::NotOAuth(response) => ErrorMessage::failed(
                format!("cannot {purpose}: {response}"),
                "Check the issuer or authority URL, and whether a captive portal or a proxy answered instead.",
            ),
            TokenRequestError::Malformed(response) => ErrorMessage::failed(
                format!("cannot {purpose}: {response}"),
                "Check the issuer or authority URL.\nAsk the server's administrator: its answer does not follow the standard.",
            ),
        }
    }
}

impl Explain for IssuerUrlError {
    /// The same for every purpose.
    fn explain(&self, _purpose: &str) -> ErrorMessage {
        const EXACTLY: &str = "Give the issuer's URL exactly as in its discovery document, https:// included.";
        match self {
            IssuerUrlError::NotAUrl { issuer } => {
                ErrorMessage::usage(format!("--oidc-issuer-url {issuer:?} is not a URL"), EXACTLY)
            }
            IssuerUrlError::NotHttps { issuer } => ErrorMessage::usage(
                format!("--oidc-issuer-url {issuer:?} is not https"),
                "Give an https URL (http is only for issuers on this machine).",
            ),
            IssuerUrlError::NotPlain { origin } => ErrorMessage::usage(
                format!("--oidc-issuer-url is not a plain URL (it leads to {origin})"),
                "Give the issuer's URL exactly as in its discovery document, without a user name, spaces or backslashes, and with an international name in its ASCII form.",
            ),
        }
    }
}

impl Explain for DiscoveryError {
    /// The same for every purpose.
    fn explain(&self, purpose: &str) -> ErrorMessage {
        let at_address = |address: &str| {
            format!("Check --oidc-issuer-url. This address should answer with a JSON document: {address}")
        };
        let next = match self {
            DiscoveryError::IssuerUrl(error) => return error.explain(purpose),
            DiscoveryError::Transport(error) => {
                return transport_error(error, "read the issuer's discovery document", Peer::Issuer);
            }
            DiscoveryError::KeysTransport(error) => return transport_error(error, "read the issuer's keys", Peer::Issuer),
            DiscoveryError::Status { address, .. } | DiscoveryError::NotADocument { address, .. } => {
                at_address(address)
            }
            DiscoveryError::WrongIssuer { .. } => {
                "Write --oidc-issuer-url exactly as the issuer does (a trailing slash counts).\nIf the name is not the one you expect, do not sign in there.".to_owned()
            }
            DiscoveryError::Endpoint { .. } => {
                "Ask the issuer's administrator: its discovery document is not safe to follow.".to_owned()
            }
            DiscoveryError::NotKeys { .. } => {
                "Ask the issuer's administrator: its jwks_uri should answer with a JSON Web Key Set.".to_owned()
            }
        };
        ErrorMessage::failed(self.to_string(), next)
    }
}

impl Explain for UserInfoError {
    /// The same for every purpose.
    fn explain(&self, _purpose: &str) -> ErrorMessage {
        let next = match self {
            UserInfoError::Transport(error) => {
                return transport_error(error, "read the issuer's UserInfo", Peer::Service("the issuer's UserInfo"));
            }
            UserInfoError::Encrypted { .. } => {
                "Ask the issuer's administrator to send this client its UserInfo signed or plain."
            }
            UserInfoError::UnsendableToken
            | UserInfoError::Status { .. }
            | UserInfoError::NotUserInfo { .. }
            | UserInfoError::OtherUser { .. } => ASK_ADMINISTRATOR,
        };
        ErrorMessage::failed(self.to_string(), next)
    }
}

impl Explain for VerifyError {
    /// `purpose` names what cannot be used: "ID token", "UserInfo".
    fn explain(&self, purpose: &str) -> ErrorMessage {
        let next = match self {
            VerifyError::Expired | VerifyError::NotYetValid | VerifyError::IssuedAt => {
                "Check this machine's date and time, then sign in again: kubectl login"
            }
            VerifyError::Issuer { .. } => {
                "Set --oidc-issuer-url to exactly what the issuer calls itself in its discovery document."
            }
            VerifyError::Audience => "Check --oidc-client-id: it has to be the one this issuer issues the token for.",
            VerifyError::Nonce | VerifyError::UnknownKey { .. } | VerifyError::BadSignature => {
                "Sign in again: kubectl login\nIf that does not help, ask the issuer's administrator whether something stands in between."
            }
            VerifyError::Subject => {
                "Ask the issuer's administrator: an ID token needs a sub that fits OpenID Connect Core, section 2."
            }
            VerifyError::Malformed(_) => "Ask the issuer's administrator to issue JWTs for this client.",
            VerifyError::Algorithm(_) | VerifyError::KeyMismatch(_) | VerifyError::Critical | VerifyError::NoExpiry => {
                "Ask the issuer's administrator to sign this client's tokens with RS256 or ES256, and to give them an exp."
            }
            _ => ASK_ADMINISTRATOR,
        };
        ErrorMessage::failed(format!("the issuer's {purpose} cannot be used: {self}"), next)
    }
}
