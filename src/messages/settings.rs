//! Flags and variables of an entry that cannot be used, alone or together.

use std::fmt;

use kubectl_login_core::text::printable;

use super::ErrorMessage;
use super::entra::INVALID_TENANT;
use crate::environment;

/// Where most of these settings are.
pub(super) const EXEC_ARGS: &str = "the kubeconfig user's exec.args";
const AS_REGISTERED: &str = "Write it as it is registered with the issuer.";

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
        let (what, next) = match error {
            SettingsError::MixedFlags { entra, oidc } => (
                format!(
                    "--{entra} is for Microsoft Entra ID and --{oidc} for OpenID Connect issuers; one entry is for one of them"
                ),
                "Keep the flags of one and remove the other's.".to_owned(),
            ),
            SettingsError::NoProvider => (
                "nothing says who issues the token".to_owned(),
                "For AKS give --server-id, --client-id and --tenant-id.\nFor an OpenID Connect issuer give --oidc-issuer-url and --oidc-client-id.".to_owned(),
            ),
            SettingsError::MissingForEntra(flags) => (
                are_missing(&flags),
                format!(
                    "Add what is missing to {EXEC_ARGS}.\nTo have all of them written for an AKS cluster: az aks get-credentials --resource-group GROUP --name CLUSTER"
                ),
            ),
            SettingsError::MissingForOidc(flag) => (are_missing(&[flag]), format!("Add it to {EXEC_ARGS}.")),
            SettingsError::PromptVariable(value) => (
                format!("{} cannot be {:?}", environment::KUBECTL_LOGIN_PROMPT, printable(&value, 40)),
                "Set it to auto, always or never.".to_owned(),
            ),
            SettingsError::UnknownChoice { flag, kind, word, known, later } => {
                // A word that begins with a hyphen is a flag in place of a missing value, and may carry a secret.
                let what = match word.starts_with('-') {
                    true => format!("{flag} needs a value"),
                    false => format!("{flag} {:?} is not a valid {kind}", printable(&word, 40)),
                };
                let (known, later) = (known.join(", "), later.join(", "));
                (what, format!("Use one of {known}.\nKnown by name, and not supported yet: {later}."))
            }
            SettingsError::UnsupportedLogin { method, variable } => {
                // The variable wins over the flag, so the flag would not help.
                return match variable {
                    Some(variable) => unsupported(&format!("{variable}={method}"), "devicecode there"),
                    None => unsupported(&format!("--login {method}"), "--login devicecode"),
                };
            }
            SettingsError::UnsupportedGrant(grant) => {
                return unsupported(&format!("--grant-type {grant}"), "--grant-type device-code");
            }
            SettingsError::UnsupportedFlag(flag) => {
                return unsupported(&format!("--{flag}"), &format!("the command without --{flag}"));
            }
            SettingsError::LoginForOidc => wrong_method_flag("--login", "--grant-type, such as authcode or device-code"),
            SettingsError::GrantTypeForEntra => {
                wrong_method_flag("--grant-type", "--login, such as interactive or devicecode")
            }
            SettingsError::Tenant(tenant) => {
                (format!("--tenant-id {:?} is not a valid tenant", printable(&tenant, 60)), INVALID_TENANT.to_owned())
            }
            SettingsError::Scope(scope) => (
                format!("--oidc-extra-scope {:?} is not one scope", printable(&scope, 60)),
                "Repeat the flag, or separate scopes with commas.".to_owned(),
            ),
            SettingsError::Url { flag, url, flaw } => wrong_url(flag, &url, flaw),
            SettingsError::CertificateOrKey(flag) => (
                are_missing(&[flag]),
                "Give --local-server-cert and --local-server-key together, or neither.".to_owned(),
            ),
            SettingsError::ListenAddress { address, flaw } => {
                let flaw = match flaw {
                    ListenFlaw::NoPort => "names no port",
                    ListenFlaw::NotIp => "is not an IP address",
                    ListenFlaw::Public => "can be reached by other machines",
                };
                (
                    format!("--listen-address {:?} {flaw}", printable(&address, 100)),
                    "Give an address that only this machine reaches, such as 127.0.0.1:8000.".to_owned(),
                )
            }
            SettingsError::NotNameValue(flag) => {
                (format!("{flag} is not NAME=VALUE"), format!("Write it as {flag}=NAME=VALUE."))
            }
            SettingsError::OwnParameter(name) => (
                format!("--oidc-auth-request-extra-params cannot set {} to that", printable(&name, 60)),
                "Leave it out: it is part of the sign-in itself.".to_owned(),
            ),
            SettingsError::OwnHeader(name) => (
                format!("--oidc-request-header cannot set {:?}", printable(name.trim(), 60)),
                format!(
                    "Remove it from {EXEC_ARGS}. Headers that decide where a request goes, how it is framed, where it comes from or who asks are set by this program alone."
                ),
            ),
        };
        ErrorMessage::usage(what, next)
    }
}

/// The error for a setting that the other tools have and this program does not have yet.
fn unsupported(what: &str, instead: &str) -> ErrorMessage {
    ErrorMessage::failed(format!("{what} is not supported yet"), format!("Use {instead} for now."))
}

fn wrong_method_flag(flag: &str, instead: &str) -> (String, String) {
    (
        format!("{flag} says nothing about this kubeconfig user"),
        format!("Use {instead}, or leave it out for the method of the entry."),
    )
}

fn wrong_url(flag: &str, url: &str, flaw: UrlFlaw) -> (String, String) {
    let (flaw, next) = match flaw {
        UrlFlaw::NotWeb => ("is not a web address", "Give an address that begins with https:// or http://."),
        UrlFlaw::NotHttps => ("is not https", "Give an https address; http is only for this machine."),
        UrlFlaw::Fragment => ("has a fragment (#)", AS_REGISTERED),
        UrlFlaw::HttpWithCertificate => {
            ("is http, and with --local-server-cert the browser comes back by https", AS_REGISTERED)
        }
    };
    (format!("{flag} {:?} {flaw}", printable(url, 100)), next.to_owned())
}

/// Where a variable is set that counts where a flag could.
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
