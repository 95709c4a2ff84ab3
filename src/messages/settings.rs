//! Flags and variables of an entry that cannot be used, alone or together.

use std::fmt;

use kubectl_login_core::text::printable;

use super::ErrorMessage;
use super::entra::INVALID_TENANT;
use crate::environment;

/// Where most of these settings are.
pub(super) const EXEC_ARGS: &str = "the kubeconfig user's exec.args";

/// Why settings cannot be used. Texts are as they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// Flags that only Entra has, and flags that only OpenID Connect has; one of each.
    MixedFlags {
        /// Entra's, without hyphens.
        entra: String,
        /// OpenID Connect's.
        oidc: String,
    },
    /// No flag says who issues the token.
    NoProvider,
    /// These flags are needed for Entra and missing.
    MissingForEntra(Vec<&'static str>),
    /// This flag is needed for OpenID Connect and missing.
    MissingForOidc(&'static str),
    /// `KUBECTL_LOGIN_PROMPT` has a value that it cannot have.
    PromptVariable(String),
    /// A flag has a word that is not one of its choices.
    UnknownChoice {
        /// The flag.
        flag: &'static str,
        /// What kind of word it takes.
        kind: &'static str,
        /// The word.
        word: String,
        /// The choices.
        known: &'static [&'static str],
        /// More of them, which are not supported yet.
        later: &'static [&'static str],
    },
    /// A sign-in method of Azure/kubelogin that is not supported yet.
    UnsupportedLogin {
        /// The method.
        method: String,
        /// The variable that names it, which wins over the flag.
        variable: Option<&'static str>,
    },
    /// A grant of int128/kubelogin that is not supported yet.
    UnsupportedGrant(String),
    /// A flag, without hyphens, that is not supported yet.
    UnsupportedFlag(&'static str),
    /// `--login` for an entry of OpenID Connect.
    LoginForOidc,
    /// `--grant-type` for an entry of Entra.
    GrantTypeForEntra,
    /// `--tenant-id` is not the name of a tenant.
    Tenant(String),
    /// `--oidc-extra-scope` has several words in one scope, or characters that no scope has.
    Scope(String),
    /// An address cannot be used.
    Url {
        /// The flag.
        flag: &'static str,
        /// The address.
        url: String,
        /// What is wrong with it.
        flaw: UrlFlaw,
    },
    /// One of the listener's certificate and key is missing: this flag.
    CertificateOrKey(&'static str),
    /// An address to listen on cannot be used.
    ListenAddress {
        /// The address.
        address: String,
        /// What is wrong with it.
        flaw: ListenFlaw,
    },
    /// The value of this flag, which may be a secret, is not `NAME=VALUE`.
    NotNameValue(&'static str),
    /// A parameter of the sign-in page that this program sets itself.
    OwnParameter(String),
    /// A request header that this program sets itself.
    OwnHeader(String),
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlFlaw {
    /// It is not the address of a web page.
    NotWeb,
    /// It is http, and not on this machine.
    NotHttps,
    /// It has a fragment.
    Fragment,
    /// It is http, and the listener has a certificate.
    HttpWithCertificate,
}

/// What is wrong with an address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenFlaw {
    /// It has no port.
    NoPort,
    /// Its host is not an IP address.
    NotIp,
    /// Other machines reach it.
    Public,
}

impl From<SettingsError> for ErrorMessage {
    fn from(error: SettingsError) -> ErrorMessage {
        let (what, next) = (error.what(), error.next());
        match error {
            SettingsError::UnsupportedLogin { .. }
            | SettingsError::UnsupportedGrant(_)
            | SettingsError::UnsupportedFlag(_) => ErrorMessage::failed(what, next),
            _ => ErrorMessage::usage(what, next),
        }
    }
}

impl SettingsError {
    fn what(&self) -> String {
        let unsupported = |setting: &str| format!("{setting} is not supported yet");
        match self {
            SettingsError::MixedFlags { entra, oidc } => format!(
                "--{entra} is for Microsoft Entra ID and --{oidc} for OpenID Connect issuers; one entry is for one of them"
            ),
            SettingsError::NoProvider => "nothing says who issues the token".to_owned(),
            SettingsError::MissingForEntra(flags) => are_missing(flags),
            SettingsError::MissingForOidc(flag) | SettingsError::CertificateOrKey(flag) => are_missing(&[flag]),
            SettingsError::PromptVariable(value) => {
                format!("{} cannot be {:?}", environment::KUBECTL_LOGIN_PROMPT, printable(value, 40))
            }
            // A word that begins with a hyphen is a flag in place of a missing value, and may carry a secret.
            SettingsError::UnknownChoice { flag, word, .. } if word.starts_with('-') => format!("{flag} needs a value"),
            SettingsError::UnknownChoice { flag, word, kind, .. } => {
                format!("{flag} {:?} is not a valid {kind}", printable(word, 40))
            }
            SettingsError::UnsupportedLogin { method, variable: Some(name) } => {
                unsupported(&format!("{name}={method}"))
            }
            SettingsError::UnsupportedLogin { method, variable: None } => unsupported(&format!("--login {method}")),
            SettingsError::UnsupportedGrant(grant) => unsupported(&format!("--grant-type {grant}")),
            SettingsError::UnsupportedFlag(flag) => unsupported(&format!("--{flag}")),
            SettingsError::LoginForOidc => {
                "--login is only for Microsoft Entra ID; this kubeconfig user has an OpenID Connect issuer".to_owned()
            }
            SettingsError::GrantTypeForEntra => {
                "--grant-type is only for OpenID Connect issuers; this kubeconfig user has Microsoft Entra ID"
                    .to_owned()
            }
            SettingsError::Tenant(tenant) => format!("--tenant-id {:?} is not a valid tenant", printable(tenant, 60)),
            SettingsError::Scope(scope) => format!("--oidc-extra-scope {:?} is not one scope", printable(scope, 60)),
            SettingsError::Url { flag, url, flaw } => format!("{flag} {:?} {}", printable(url, 100), flaw.clause()),
            SettingsError::ListenAddress { address, flaw } => {
                format!("--listen-address {:?} {}", printable(address, 100), flaw.clause())
            }
            SettingsError::NotNameValue(flag) => format!("{flag} is not NAME=VALUE"),
            SettingsError::OwnParameter(name) => {
                format!("--oidc-auth-request-extra-params cannot set {} to that", printable(name, 60))
            }
            SettingsError::OwnHeader(name) => {
                format!("--oidc-request-header cannot set {:?}", printable(name.trim(), 60))
            }
        }
    }

    fn next(&self) -> String {
        let for_now = |instead: &str| format!("Use {instead} for now.");
        let text = match self {
            SettingsError::MixedFlags { .. } => "Keep the flags of one and remove the other's.",
            SettingsError::NoProvider => {
                "For AKS give --server-id, --client-id and --tenant-id.\nFor an OpenID Connect issuer give --oidc-issuer-url and --oidc-client-id."
            }
            SettingsError::MissingForEntra(_) => {
                return format!(
                    "Add what is missing to {EXEC_ARGS}.\nTo have all of them written for an AKS cluster: az aks get-credentials --resource-group GROUP --name CLUSTER"
                );
            }
            SettingsError::MissingForOidc(_) => return format!("Add it to {EXEC_ARGS}."),
            SettingsError::CertificateOrKey(_) => {
                "Give --local-server-cert and --local-server-key together, or neither."
            }
            SettingsError::PromptVariable(_) => "Set it to auto, always or never.",
            SettingsError::UnknownChoice { known, later, .. } => {
                let (known, later) = (known.join(", "), later.join(", "));
                return format!("Use one of {known}.\nKnown by name, and not supported yet: {later}.");
            }
            // The variable wins over the flag, so the flag would not help.
            SettingsError::UnsupportedLogin { variable: Some(_), .. } => return for_now("devicecode there"),
            SettingsError::UnsupportedLogin { variable: None, .. } => return for_now("--login devicecode"),
            SettingsError::UnsupportedGrant(_) => return for_now("--grant-type device-code"),
            SettingsError::UnsupportedFlag(flag) => return for_now(&format!("the command without --{flag}")),
            SettingsError::LoginForOidc => {
                "Use --grant-type authcode or device-code instead, or neither to use the method of the entry."
            }
            SettingsError::GrantTypeForEntra => {
                "Use --login interactive or devicecode instead, or neither to use the method of the entry."
            }
            SettingsError::Tenant(_) => INVALID_TENANT,
            SettingsError::Scope(_) => "Repeat the flag, or separate scopes with commas.",
            SettingsError::Url { flaw, .. } => flaw.step(),
            SettingsError::ListenAddress { .. } => {
                "Give an address that only this machine reaches, such as 127.0.0.1:8000."
            }
            SettingsError::NotNameValue(flag) => return format!("Write it as {flag}=NAME=VALUE."),
            SettingsError::OwnParameter(_) => "Leave it out: it is part of the sign-in itself.",
            SettingsError::OwnHeader(_) => {
                return format!(
                    "Remove it from {EXEC_ARGS}. Headers that decide where a request goes, how it is framed, where it comes from or who asks are set by this program alone."
                );
            }
        };
        text.to_owned()
    }
}

impl UrlFlaw {
    fn clause(self) -> &'static str {
        match self {
            UrlFlaw::NotWeb => "is not a web address",
            UrlFlaw::NotHttps => "is not https",
            UrlFlaw::Fragment => "has a fragment (#)",
            UrlFlaw::HttpWithCertificate => "is http, and with --local-server-cert the browser comes back by https",
        }
    }

    fn step(self) -> &'static str {
        match self {
            UrlFlaw::NotWeb => "Give an address that begins with https:// or http://.",
            UrlFlaw::NotHttps => "Give an https address; http is only for this machine.",
            UrlFlaw::Fragment | UrlFlaw::HttpWithCertificate => "Write it as it is registered with the issuer.",
        }
    }
}

impl ListenFlaw {
    fn clause(self) -> &'static str {
        match self {
            ListenFlaw::NoPort => "names no port",
            ListenFlaw::NotIp => "is not an IP address",
            ListenFlaw::Public => "can be reached by other machines",
        }
    }
}

/// Where a variable is set that is used instead of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariablePlace {
    /// In the environment of the process. For a plugin, that holds the shell's variables and those of `exec.env` alike.
    Process,
    /// In the shell's environment.
    Shell,
    /// In `exec.env` of this kubeconfig user, in this file.
    ExecEnv {
        /// The user.
        user: String,
        /// The file.
        file: String,
    },
}

impl fmt::Display for VariablePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VariablePlace::Process => f.write_str("the environment (your shell's, or exec.env of the kubeconfig user)"),
            VariablePlace::Shell => f.write_str("your environment"),
            VariablePlace::ExecEnv { user, file } => {
                write!(f, "exec.env of the kubeconfig user {user:?} in {file}")
            }
        }
    }
}

/// Says where a variable is set that an error names.
pub fn variable_is_set(variable: &str, place: &VariablePlace) -> String {
    format!("{variable} is set in {place}.")
}

/// The same for a variable that is used instead of `flag`: because it wins, or because the flag is not there.
pub fn variable_is_used(variable: &str, place: &VariablePlace, flag: &str, wins: bool) -> String {
    match wins {
        true => format!("{variable} is set in {place} and counts for more than {flag}."),
        false => format!("{variable} is set in {place} and counts because exec.args has no {flag}."),
    }
}

/// Says which of several files counts that define the same kubeconfig user.
pub fn user_is_shadowed(user: &str, file: &str, others: &[String]) -> String {
    format!("Correct the user {user:?} in {file}: {} defines it too, but kubectl takes the first.", others.join(", "))
}

/// `a is missing`, `a, b are missing`.
pub(super) fn are_missing(names: &[impl AsRef<str>]) -> String {
    let listed: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    format!("{} {} missing", listed.join(", "), if names.len() == 1 { "is" } else { "are" })
}
