//! Credentials for requests to an API server, as kubectl would send them for a kubeconfig user.
//!
//! Must not know which credentials a user should have, or how a connection is made.
//!
//! Source: client-go's `tools/clientcmd/client_config.go` (`getUserIdentificationPartialConfig`) and
//! `transport/round_trippers.go`.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::error::IoFailure;
use crate::http;
use crate::kube::kubeconfig::{CredentialKind, Impersonation, UserCredentials, UserField};
use crate::named_file;
use crate::secret::Secret;
use crate::text::printable;

/// The keys of a client certificate and of its private key: as a file, and as data.
const CERTIFICATE: [UserField; 2] = [UserField::ClientCertificate, UserField::ClientCertificateData];
const KEY: [UserField; 2] = [UserField::ClientKey, UserField::ClientKeyData];

/// Why the credentials of a kubeconfig user cannot be used. No variant repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialError {
    /// A named file cannot be read.
    #[error("{field} of the kubeconfig user cannot be used: {file} cannot be read: {reason}")]
    Unreadable {
        /// The key that names the file.
        field: UserField,
        /// The file, shortened and printable.
        file: String,
        /// What the system says.
        #[source]
        reason: IoFailure,
    },
    /// A named file is not UTF-8 text.
    #[error("{field} of the kubeconfig user cannot be used: {file} is not a text file")]
    NotText {
        /// The key that names the file.
        field: UserField,
        /// The file, shortened and printable.
        file: String,
    },
    /// A token file is empty.
    #[error("{field} of the kubeconfig user cannot be used: {file} is empty")]
    Empty {
        /// The key that names the file.
        field: UserField,
        /// The file, shortened and printable.
        file: String,
    },
    /// Data that should be base64 of a PEM file is something else.
    #[error("{0} of the kubeconfig user cannot be used: it is not base64 of a PEM file")]
    NotBase64(UserField),
    /// Half of a client certificate and its key is missing.
    #[error("{0} of the kubeconfig user cannot be used: it is missing")]
    Missing(UserField),
    /// A value that no header field can hold (RFC 9110 section 5.5). It is shortened and printable.
    #[error("{0:?} in the kubeconfig user cannot be sent in a header")]
    InvalidHeader(String),
    /// A token that no header field can hold.
    #[error("the token cannot be sent: it contains control characters")]
    InvalidToken,
}

/// Credentials for an API server. Several may be sent at once; the server looks at a certificate first.
#[derive(Clone, Debug, Default)]
pub struct ApiCredentials {
    /// For `Authorization: Bearer` (RFC 6750 section 2.1).
    bearer: Option<Secret>,
    /// For `Authorization: Basic` (RFC 7617): name and password.
    basic: Option<(String, Secret)>,
    /// A client certificate and its key, as PEM.
    pub(crate) certificate: Option<Secret>,
    impersonation: Impersonation,
}

impl ApiCredentials {
    /// A bearer token alone.
    pub fn bearer(token: &Secret) -> ApiCredentials {
        ApiCredentials { bearer: Some(token.clone()), ..ApiCredentials::default() }
    }

    /// What kubectl sends for a kubeconfig user; `token` is what the user's plugin printed, which kubectl does not ask for
    /// if the entry holds anything else. Named files are read.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what it should; data that is not base64; a certificate without a key.
    pub fn from_user(user: &UserCredentials, token: Option<&Secret>) -> Result<ApiCredentials, CredentialError> {
        let is_alone = user.kind() == CredentialKind::None;
        let bearer = match &user.token_file {
            Some(file) => Some(token_in(file)?),
            None => user.token.clone().or_else(|| token.filter(|_| is_alone).cloned()),
        };
        let certificate = match user.kind() {
            CredentialKind::Certificate => {
                let chain = pem(CERTIFICATE, user.certificate.as_deref(), user.certificate_data.as_ref())?;
                let key = pem(KEY, user.key.as_deref(), user.key_data.as_ref())?;
                Some(Secret::new(format!("{}\n{}", chain.expose(), key.expose())))
            }
            _ => None,
        };
        let password = || user.password.clone().unwrap_or_else(|| Secret::new(""));
        Ok(ApiCredentials {
            basic: user.username.clone().map(|name| (name, password())).filter(|_| bearer.is_none()),
            bearer,
            certificate,
            impersonation: user.impersonation.clone(),
        })
    }

    /// The header fields to send.
    ///
    /// # Errors
    /// A value that no header field can hold.
    pub(crate) fn headers(&self) -> Result<HeaderMap, CredentialError> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.bearer {
            headers.insert(AUTHORIZATION, http::bearer(token).map_err(|_| CredentialError::InvalidToken)?);
        } else if let Some((name, password)) = &self.basic {
            let pair = Secret::new(format!("{name}:{}", password.expose()));
            let pair = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
            let mut value = value(pair.expose())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let Impersonation { user, uid, groups, extra } = &self.impersonation;
        let single = [("impersonate-user", user), ("impersonate-uid", uid)];
        for (name, text) in single.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))) {
            headers.insert(HeaderName::from_static(name), value(text)?);
        }
        for group in groups {
            headers.append(HeaderName::from_static("impersonate-group"), value(group)?);
        }
        for (key, texts) in extra {
            let name = format!("impersonate-extra-{}", escaped(&key.to_ascii_lowercase()));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| no_header(key))?;
            for text in texts {
                headers.append(name.clone(), value(text)?);
            }
        }
        Ok(headers)
    }

    /// `body` without the secrets that were sent, in case the server repeats them.
    pub(crate) fn hidden_in(&self, body: Vec<u8>) -> Vec<u8> {
        self.secrets().fold(body, |body, secret| secret.hidden_in(body))
    }

    /// The secrets that are sent.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.bearer.iter().chain(self.basic.as_ref().map(|(_, password)| password))
    }
}

fn value(text: &str) -> Result<HeaderValue, CredentialError> {
    HeaderValue::from_str(text).map_err(|_| no_header(text))
}

fn no_header(text: &str) -> CredentialError {
    CredentialError::InvalidHeader(printable(text, 60))
}

/// A key of `as-user-extra` as a part of a header's name, percent-encoded as client-go does it.
fn escaped(key: &str) -> String {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte);
    key.bytes().map(|byte| if is_token(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The token in a file, without white space around it.
fn token_in(file: &Path) -> Result<Secret, CredentialError> {
    let text = text_of(UserField::TokenFile, file)?;
    match text.expose().trim() {
        "" => Err(CredentialError::Empty { field: UserField::TokenFile, file: shown(file) }),
        token => Ok(Secret::new(token)),
    }
}

/// The PEM of a kubeconfig user: from the second of `fields` (base64) if there is `data`, else from the `file` that the
/// first one names.
fn pem(fields: [UserField; 2], file: Option<&Path>, data: Option<&Secret>) -> Result<Secret, CredentialError> {
    let [file_field, data_field] = fields;
    match (data, file) {
        (Some(data), _) => {
            // Go's decoder ignores line breaks within base64.
            let packed = Secret::new(data.expose().split_ascii_whitespace().collect::<String>());
            let bytes = STANDARD.decode(packed.expose()).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            text.map(Secret::new).ok_or(CredentialError::NotBase64(data_field))
        }
        (None, Some(file)) => text_of(file_field, file),
        (None, None) => Err(CredentialError::Missing(file_field)),
    }
}

fn text_of(field: UserField, file: &Path) -> Result<Secret, CredentialError> {
    let bytes = named_file::read_named(file).map_err(|error| CredentialError::Unreadable {
        field,
        file: shown(file),
        reason: error.into(),
    })?;
    let text = String::from_utf8(bytes).map_err(|_| CredentialError::NotText { field, file: shown(file) })?;
    Ok(Secret::new(text))
}

fn shown(file: &Path) -> String {
    printable(&file.to_string_lossy(), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(yaml: &str) -> UserCredentials {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config");
        std::fs::write(&file, format!("users: [{{name: u, user: {{exec: {{command: c}}, {yaml}}}}}]")).expect("a file");
        let config = crate::kube::kubeconfig::Kubeconfig::load(Some(&file), None, None).expect("a kubeconfig");
        config.entry(None, Some("u")).expect("an entry").credentials
    }

    fn sent(yaml: &str) -> Vec<(String, String)> {
        let credentials = ApiCredentials::from_user(&user(yaml), Some(&Secret::new("PLUGIN"))).expect(yaml);
        let headers = credentials.headers().expect(yaml);
        let text = |value: &HeaderValue| value.to_str().expect("visible characters").to_owned();
        headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    fn pairs(given: &[(&str, &str)]) -> Vec<(String, String)> {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn static_credentials_replace_the_plugins_token() {
        assert_eq!(sent("a: b"), pairs(&[("authorization", "Bearer PLUGIN")]));
        assert_eq!(sent("token: STATIC"), pairs(&[("authorization", "Bearer STATIC")]));
        assert_eq!(sent("username: u, password: p"), pairs(&[("authorization", "Basic dTpw")]));
        assert_eq!(sent("password: p"), pairs(&[("authorization", "Bearer PLUGIN")]));
    }

    #[test]
    fn impersonation_goes_with_any_credential() {
        assert_eq!(
            sent("as: admin, as-groups: [a, b], as-user-extra: {Example/Why: [x]}"),
            pairs(&[
                ("authorization", "Bearer PLUGIN"),
                ("impersonate-user", "admin"),
                ("impersonate-group", "a"),
                ("impersonate-group", "b"),
                ("impersonate-extra-example%2fwhy", "x"),
            ])
        );
    }

    #[test]
    fn unusable_credentials_are_named_and_not_repeated() {
        for (yaml, words) in [
            ("client-certificate-data: SECRET_", "client-certificate-data of the kubeconfig user"),
            ("client-certificate-data: QUJD", "client-key of the kubeconfig user cannot be used: it is missing"),
            (
                "tokenFile: /nowhere/token",
                "tokenFile of the kubeconfig user cannot be used: /nowhere/token cannot be read",
            ),
            ("client-certificate: /proc/self", "client-certificate of the kubeconfig user"),
        ] {
            let error = ApiCredentials::from_user(&user(yaml), None).expect_err(yaml);
            let said = error.to_string();
            assert!(said.starts_with(words) && !format!("{said} {error:?}").contains("SECRET"), "{error:?}");
        }
        let token = ApiCredentials::bearer(&Secret::new("a-long-secret"));
        assert_eq!(token.hidden_in(b"no a-long-secret".to_vec()), b"no [hidden]");
        assert!(!format!("{token:?}").contains("a-long-secret"));
    }
}
