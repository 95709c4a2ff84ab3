//! The credentials of a kubeconfig user besides an exec plugin, and how kubectl uses them.
//!
//! Must not know who asks for it, or how a request is sent.
//!
//! Source: client-go's `tools/clientcmd/api/types.go` (`AuthInfo`), `tools/clientcmd/validation.go`, and
//! `plugin/pkg/client/auth/exec/exec.go` (`UpdateTransportConfig`); confirmed with kubectl.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::file::{self, RawExec};
use crate::secret::Secret;

/// The keys of a kubeconfig user besides `exec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserField {
    /// `token`
    Token,
    /// `tokenFile`
    TokenFile,
    /// `client-certificate`
    ClientCertificate,
    /// `client-certificate-data`
    ClientCertificateData,
    /// `client-key`
    ClientKey,
    /// `client-key-data`
    ClientKeyData,
    /// `username`
    Username,
    /// `password`
    Password,
    /// `as`
    As,
    /// `as-uid`
    AsUid,
    /// `as-groups`
    AsGroups,
    /// `as-user-extra`
    AsUserExtra,
    /// `auth-provider`
    AuthProvider,
}

impl UserField {
    /// The key as a kubeconfig has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::TokenFile => "tokenFile",
            Self::ClientCertificate => "client-certificate",
            Self::ClientCertificateData => "client-certificate-data",
            Self::ClientKey => "client-key",
            Self::ClientKeyData => "client-key-data",
            Self::Username => "username",
            Self::Password => "password",
            Self::As => "as",
            Self::AsUid => "as-uid",
            Self::AsGroups => "as-groups",
            Self::AsUserExtra => "as-user-extra",
            Self::AuthProvider => "auth-provider",
        }
    }
}

impl fmt::Display for UserField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key of a kubeconfig user that has a value, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetField {
    /// The key.
    pub field: UserField,
    /// Its line in the file, counted from 1.
    pub line: Option<u64>,
}

/// The credentials and the impersonation of a kubeconfig user, as written. An empty text counts as absent, as for
/// kubectl. Debug shows only which keys there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserCredentials {
    /// The keys that have a value, in the order of the file, and where they are.
    pub fields: Vec<SetField>,
    /// A bearer token.
    pub token: Option<Secret>,
    /// A file with a bearer token, which wins over `token`.
    pub token_file: Option<PathBuf>,
    /// A PEM file with a client certificate.
    pub certificate: Option<PathBuf>,
    /// The same as base64 of PEM, which wins over the file.
    pub certificate_data: Option<Secret>,
    /// A PEM file with the certificate's key.
    pub key: Option<PathBuf>,
    /// The same as base64 of PEM, which wins over the file.
    pub key_data: Option<Secret>,
    /// Name and password for HTTP basic authentication.
    pub username: Option<String>,
    /// The password that goes with the name.
    pub password: Option<Secret>,
    /// Whom kubectl asks the API server to treat the request as.
    pub impersonation: Impersonation,
    /// The name of an auth-provider, the predecessor of exec plugins; empty if the entry has one without a name.
    pub auth_provider: Option<String>,
}

/// Whom the API server is asked to treat a request as
/// (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impersonation {
    /// `as`
    pub user: Option<String>,
    /// `as-uid`
    pub uid: Option<String>,
    /// `as-groups`
    pub groups: Vec<String>,
    /// `as-user-extra`
    pub extra: BTreeMap<String, Vec<String>>,
}

/// The kind of credential that kubectl presents for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// What the exec plugin prints.
    Plugin,
    /// A client certificate. A token or a password beside it is sent as well; the API server looks at the certificate first.
    Certificate,
    /// A token from the kubeconfig, or from a file that it names.
    Token,
    /// A name and a password.
    Password,
    /// What an auth-provider does.
    AuthProvider,
    /// Nothing at all.
    None,
}

impl CredentialKind {
    /// What it is, with its article.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Plugin => "an exec plugin",
            Self::Certificate => "a client certificate",
            Self::Token => "a token",
            Self::Password => "a user name and password",
            Self::AuthProvider => "an auth-provider",
            Self::None => "nothing to sign in with",
        }
    }
}

/// Why kubectl refuses a user's credentials (client-go's `tools/clientcmd/validation.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialConflict {
    /// An exec plugin and an auth-provider.
    #[error("it has both exec and auth-provider")]
    ExecAndAuthProvider,
    /// A token, and a user name or password.
    #[error("it has both a token and a user name or password")]
    TokenAndPassword,
    /// A client certificate as a file and as data.
    #[error("it has both client-certificate and client-certificate-data")]
    TwoCertificates,
    /// The key of the client certificate as a file and as data.
    #[error("it has both client-key and client-key-data")]
    TwoKeys,
    /// A client certificate without its key.
    #[error("it has a client certificate and neither client-key nor client-key-data")]
    CertificateWithoutKey,
    /// Impersonation of groups, an id or extra fields without a user.
    #[error("it has as-uid, as-groups or as-user-extra, and no as")]
    ImpersonationWithoutUser,
}

impl UserCredentials {
    /// What kubectl presents if the user has no exec plugin, and in place of what the plugin would print if there is one:
    /// anything but [`CredentialKind::None`] keeps kubectl from running the plugin, or from accepting the entry.
    pub fn kind(&self) -> CredentialKind {
        if self.certificate.is_some() || self.certificate_data.is_some() {
            CredentialKind::Certificate
        } else if self.token.is_some() || self.token_file.is_some() {
            CredentialKind::Token
        } else if self.username.is_some() {
            CredentialKind::Password
        } else if self.auth_provider.is_some() {
            CredentialKind::AuthProvider
        } else {
            CredentialKind::None
        }
    }

    /// Why kubectl refuses the entry, with `has_plugin` beside these credentials, if it does.
    pub fn conflict(&self, has_plugin: bool) -> Option<CredentialConflict> {
        let has_token = self.token.is_some() || self.token_file.is_some();
        let has_certificate = self.kind() == CredentialKind::Certificate;
        let Impersonation { user, uid, groups, extra } = &self.impersonation;
        if has_plugin && self.auth_provider.is_some() {
            Some(CredentialConflict::ExecAndAuthProvider)
        } else if (has_token && self.username.is_some()) || (self.token.is_some() && self.password.is_some()) {
            Some(CredentialConflict::TokenAndPassword)
        } else if self.certificate.is_some() && self.certificate_data.is_some() {
            Some(CredentialConflict::TwoCertificates)
        } else if has_certificate && self.key.is_some() && self.key_data.is_some() {
            Some(CredentialConflict::TwoKeys)
        } else if has_certificate && self.key.is_none() && self.key_data.is_none() {
            Some(CredentialConflict::CertificateWithoutKey)
        } else if user.is_none() && (uid.is_some() || !groups.is_empty() || !extra.is_empty()) {
            Some(CredentialConflict::ImpersonationWithoutUser)
        } else {
            None
        }
    }

    /// The keys that keep kubectl from running an exec plugin beside them. A key file without its certificate and a
    /// password without its name do not.
    pub fn instead_of_plugin(&self) -> Vec<SetField> {
        let with_certificate = self.certificate.is_some() || self.certificate_data.is_some();
        let counts = |set: &&SetField| match set.field {
            UserField::Token | UserField::TokenFile | UserField::AuthProvider | UserField::Username => true,
            UserField::Password => self.username.is_some(),
            UserField::ClientCertificate
            | UserField::ClientCertificateData
            | UserField::ClientKey
            | UserField::ClientKeyData => with_certificate,
            UserField::As | UserField::AsUid | UserField::AsGroups | UserField::AsUserExtra => false,
        };
        self.fields.iter().filter(counts).copied().collect()
    }

    /// The keys by which kubectl acts as another user.
    pub fn impersonating(&self) -> Vec<SetField> {
        use UserField::{As, AsGroups, AsUid, AsUserExtra};
        let counts = |set: &&SetField| matches!(set.field, As | AsUid | AsGroups | AsUserExtra);
        self.fields.iter().filter(counts).copied().collect()
    }

    /// With relative paths made absolute: they count from the folder of `file`.
    pub(super) fn beside(self, file: &Path) -> UserCredentials {
        let absolute = |path: Option<PathBuf>| path.map(|path| file::beside(file, &path));
        UserCredentials {
            token_file: absolute(self.token_file),
            certificate: absolute(self.certificate),
            key: absolute(self.key),
            ..self
        }
    }

    /// Reads the value of `key` if it is one of these, and notes the key where the value is not empty.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &Spanned<String>, map: &mut A) -> Result<bool, A::Error> {
        fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<String>, A::Error> {
            Ok(map.next_value::<Option<String>>()?.filter(|text| !text.is_empty()))
        }
        fn secret<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Secret>, A::Error> {
            Ok(map.next_value::<Option<Secret>>()?.filter(|secret| !secret.is_empty()))
        }
        macro_rules! set {
            ($name:ident, $field:expr, $value:expr) => {{
                $field = $value;
                (UserField::$name, $field.is_some())
            }};
        }
        let (field, is_set) = match key.value.as_str() {
            "token" => set!(Token, self.token, secret(map)?),
            "tokenFile" => set!(TokenFile, self.token_file, text(map)?.map(PathBuf::from)),
            "client-certificate" => set!(ClientCertificate, self.certificate, text(map)?.map(PathBuf::from)),
            "client-certificate-data" => set!(ClientCertificateData, self.certificate_data, secret(map)?),
            "client-key" => set!(ClientKey, self.key, text(map)?.map(PathBuf::from)),
            "client-key-data" => set!(ClientKeyData, self.key_data, secret(map)?),
            "username" => set!(Username, self.username, text(map)?),
            "password" => set!(Password, self.password, secret(map)?),
            "as" => set!(As, self.impersonation.user, text(map)?),
            "as-uid" => set!(AsUid, self.impersonation.uid, text(map)?),
            "as-groups" => {
                self.impersonation.groups = map.next_value::<Option<Vec<String>>>()?.unwrap_or_default();
                (UserField::AsGroups, !self.impersonation.groups.is_empty())
            }
            "as-user-extra" => {
                self.impersonation.extra = map.next_value::<Option<_>>()?.unwrap_or_default();
                (UserField::AsUserExtra, !self.impersonation.extra.is_empty())
            }
            "auth-provider" => {
                #[derive(Deserialize)]
                struct Provider {
                    #[serde(default)]
                    name: Option<String>,
                }
                let provider = map.next_value::<Option<Provider>>()?;
                set!(AuthProvider, self.auth_provider, provider.map(|provider| provider.name.unwrap_or_default()))
            }
            _ => return Ok(false),
        };
        // Of a repeated key the last one counts.
        self.fields.retain(|known| known.field != field);
        if is_set {
            self.fields.push(SetField { field, line: Some(key.referenced.line()).filter(|line| *line > 0) });
        }
        Ok(true)
    }
}

impl fmt::Debug for UserCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserCredentials").field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// A user as the file has it.
#[derive(Default)]
pub(super) struct RawUser {
    pub(super) exec: Option<RawExec>,
    pub(super) credentials: UserCredentials,
}

/// Written by hand, because derived code does not know the line of a key.
impl<'de> Deserialize<'de> for RawUser {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = RawUser;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a kubeconfig user")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawUser, A::Error> {
                let mut user = RawUser::default();
                while let Some(key) = map.next_key::<Spanned<String>>()? {
                    if key.value == "exec" {
                        user.exec = map.next_value()?;
                    } else if !user.credentials.read(&key, &mut map)? {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(user)
            }
        }

        deserializer.deserialize_map(Keys)
    }
}
