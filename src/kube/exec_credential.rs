//! The exec-credential protocol: what a Kubernetes client says in `KUBERNETES_EXEC_INFO`, and the one line it reads
//! back.
//!
//! Must not know where the text comes from, how a token is obtained, or who prints the line. Reading is lenient on
//! purpose: about half of the clients send nothing, a wrong `kind`, or a cluster in a shape of their own, and only what
//! makes every answer useless is refused.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins> and
//! <https://kubernetes.io/docs/reference/config-api/client-authentication.v1/>.

use chrono::{DateTime, Datelike as _, Utc};
use serde_json::Value;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::text::printable;

/// The latest moment RFC 3339 can write (its years have four digits).
const LAST_TIMESTAMP: &str = "9999-12-31T23:59:59Z";

/// A version of the protocol. Both look the same on the wire, but a client refuses an answer in another version than
/// the one its kubeconfig names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiVersion {
    /// `client.authentication.k8s.io/v1`
    V1,
    /// `client.authentication.k8s.io/v1beta1`, meant when a client does not say.
    #[default]
    V1Beta1,
}

impl ApiVersion {
    /// The text that stands in `apiVersion`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "client.authentication.k8s.io/v1",
            Self::V1Beta1 => "client.authentication.k8s.io/v1beta1",
        }
    }
}

/// What the calling client told about itself. The default is a client that told nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecInfo {
    /// The version to answer in.
    pub api_version: ApiVersion,
    /// `spec.cluster.server`: the API server's URL, as sent and unchecked. Only with `provideClusterInfo: true`.
    pub server: Option<String>,
    /// `spec.interactive`, as sent. Proves nothing: clients compute it in contradictory ways.
    pub interactive: Option<bool>,
}

/// Why a `KUBERNETES_EXEC_INFO` is refused. No message repeats the value, which may carry whole certificates.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExecInfoError {
    /// The text is no JSON at all.
    #[error("KUBERNETES_EXEC_INFO is set, but it is not JSON")]
    NotJson,
    /// The text is JSON, but a list, a string, a number or the like.
    #[error("KUBERNETES_EXEC_INFO is set, but it is not a JSON object")]
    NotAnObject,
    /// The client asks for a version this program does not speak. Holds that version, shortened and made printable.
    #[error("the client asks for the exec-credential version \"{0}\", which is not supported")]
    UnsupportedVersion(String),
}

impl ExecInfoError {
    /// What to do about it, as a sentence.
    pub fn next(&self) -> &str {
        match self {
            Self::NotJson | Self::NotAnObject => {
                "Unset KUBERNETES_EXEC_INFO if you set it yourself; otherwise report this to the makers of the program \
                 that started this plugin."
            }
            Self::UnsupportedVersion(_) => {
                "Set the user's exec.apiVersion to client.authentication.k8s.io/v1 in your kubeconfig."
            }
        }
    }
}

impl ExecInfo {
    /// Reads the value of `KUBERNETES_EXEC_INFO`.
    ///
    /// Nothing, or only white space, is the default. An `apiVersion` that is missing, empty or no text means `v1beta1`.
    /// `kind` is not looked at, and a field of an unexpected type counts as absent.
    ///
    /// # Errors
    /// [`ExecInfoError`]: no JSON, no JSON object, or a version that is neither `v1` nor `v1beta1`.
    pub fn parse(text: Option<&str>) -> Result<Self, ExecInfoError> {
        let text = text.unwrap_or_default().trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_str(text).map_err(|_| ExecInfoError::NotJson)?;
        let object = value.as_object().ok_or(ExecInfoError::NotAnObject)?;
        let api_version = match object.get("apiVersion").and_then(Value::as_str).unwrap_or_default().trim() {
            "" => ApiVersion::default(),
            version if version == ApiVersion::V1.as_str() => ApiVersion::V1,
            version if version == ApiVersion::V1Beta1.as_str() => ApiVersion::V1Beta1,
            other => return Err(ExecInfoError::UnsupportedVersion(printable(other, 60))),
        };
        let server = value.pointer("/spec/cluster/server").and_then(Value::as_str);
        Ok(Self {
            api_version,
            server: server.filter(|server| !server.is_empty()).map(str::to_owned),
            interactive: value.pointer("/spec/interactive").and_then(Value::as_bool),
        })
    }
}

/// The token is empty or holds white space or control characters, so no client could put it into an `Authorization`
/// header (RFC 6750 section 2.1). Nothing of the token is kept in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the token that was issued is empty or holds spaces or control characters, so no HTTP header can carry it")]
pub struct TokenNotPrintable;

impl TokenNotPrintable {
    /// What to do about it, as a sentence.
    pub fn next(&self) -> &str {
        "Check the issuer: what it sent as a token is none."
    }
}

/// Whether `token` can be a bearer token (RFC 6750 section 2.1).
///
/// # Errors
/// [`TokenNotPrintable`] when it cannot.
pub fn check_token(token: &str) -> Result<(), TokenNotPrintable> {
    if token.is_empty() || token.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(TokenNotPrintable);
    }
    Ok(())
}

/// The answer to the client: an `ExecCredential` as one line of compact JSON with its line feed.
///
/// `expires_at` is written in whole seconds, rounded down, and left out when there is none (the client then keeps the
/// token until the server answers 401). The text is wiped when dropped, and no unwiped copy is made on the way.
///
/// # Errors
/// [`TokenNotPrintable`] when the token cannot be a bearer token.
pub fn credential_line(
    api_version: ApiVersion,
    token: &str,
    expires_at: Option<DateTime<Utc>>,
) -> Result<Zeroizing<String>, TokenNotPrintable> {
    check_token(token)?;
    // Room for the token with every character escaped: a String that grows would leave the old copy behind.
    let mut line = Zeroizing::new(String::with_capacity(2 * token.len() + 256));
    line.push_str(r#"{"apiVersion":""#);
    line.push_str(api_version.as_str());
    line.push_str(r#"","kind":"ExecCredential","status":{"#);
    if let Some(moment) = expires_at {
        line.push_str(r#""expirationTimestamp":""#);
        line.push_str(&timestamp(moment));
        line.push_str(r#"","#);
    }
    line.push_str(r#""token":""#);
    for character in token.chars() {
        // All that JSON wants escaped (RFC 8259 section 7), control characters being refused above.
        if matches!(character, '"' | '\\') {
            line.push('\\');
        }
        line.push(character);
    }
    line.push_str("\"}}\n");
    Ok(line)
}

/// `YYYY-MM-DDThh:mm:ssZ`, kept within the years that RFC 3339 can write.
fn timestamp(moment: DateTime<Utc>) -> String {
    match moment.year() {
        ..0 => "0000-01-01T00:00:00Z".to_owned(),
        10_000.. => LAST_TIMESTAMP.to_owned(),
        _ => moment.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<ExecInfo, ExecInfoError> {
        ExecInfo::parse(Some(text))
    }

    #[test]
    fn silence_means_the_default() {
        for text in [None, Some(""), Some(" \n"), Some("{}"), Some("\u{feff}{}")] {
            assert_eq!(ExecInfo::parse(text), Ok(ExecInfo::default()), "{text:?}");
        }
        assert_eq!(ExecInfo::default().api_version, ApiVersion::V1Beta1);
    }

    #[test]
    fn what_kubectl_sends() {
        let text = concat!(
            r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"#,
            r#""cluster":{"server":"https://127.0.0.1:6443","config":{"a":[1]}},"interactive":true}}"#,
            "\n"
        );
        let expected = ExecInfo {
            api_version: ApiVersion::V1,
            server: Some("https://127.0.0.1:6443".to_owned()),
            interactive: Some(true),
        };
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn mild_oddities_are_accepted() {
        for text in [
            r#"{"apiVersion":null}"#,
            r#"{"apiVersion":""}"#,
            r#"{"apiVersion":1}"#,
            r#"{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredentials"}"#,
            r#"{"kind":7,"spec":"none"}"#,
            r#"{"spec":{"cluster":[1],"interactive":"yes"}}"#,
            r#"{"spec":{"cluster":{"server":{}},"interactive":null}}"#,
            r#"{"spec":{"cluster":{"server":""}}}"#,
        ] {
            assert_eq!(parse(text), Ok(ExecInfo::default()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        assert_eq!(parse("secret-ca-data"), Err(ExecInfoError::NotJson));
        for text in ["null", "[]", "\"x\"", "1"] {
            assert_eq!(parse(text), Err(ExecInfoError::NotAnObject), "{text}");
        }
        let old = parse(r#"{"apiVersion":"client.authentication.k8s.io/v1alpha1"}"#).unwrap_err();
        assert!(old.to_string().contains("\"client.authentication.k8s.io/v1alpha1\""), "{old}");
        assert!(old.next().contains("client.authentication.k8s.io/v1 "));
        let long = parse(&format!(r#"{{"apiVersion":"\u001b[2J{}"}}"#, "x".repeat(500))).unwrap_err().to_string();
        assert!(long.len() < 200 && !long.contains('\u{1b}'), "{long}");
    }

    #[test]
    fn the_line_is_exact() {
        let moment = "2026-08-23T10:00:00.987Z".parse().unwrap();
        assert_eq!(
            credential_line(ApiVersion::V1, "a.b\"\\c", Some(moment)).unwrap().as_str(),
            concat!(
                r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"#,
                r#""expirationTimestamp":"2026-08-23T10:00:00Z","token":"a.b\"\\c"}}"#,
                "\n"
            )
        );
        assert_eq!(
            credential_line(ApiVersion::V1Beta1, "t", None).unwrap().as_str(),
            concat!(
                r#"{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","#,
                r#""status":{"token":"t"}}"#,
                "\n"
            )
        );
        for token in ["", " ", "a b", "a\n", "a\u{0}", "a\u{7f}", "a\u{85}"] {
            assert!(credential_line(ApiVersion::V1, token, None).is_err(), "{token:?}");
        }
    }

    #[test]
    fn moments_beyond_rfc_3339_are_clamped() {
        assert_eq!(timestamp(DateTime::<Utc>::MAX_UTC), LAST_TIMESTAMP);
        assert_eq!(timestamp(DateTime::<Utc>::MIN_UTC), "0000-01-01T00:00:00Z");
    }

    proptest! {
        #[test]
        fn no_text_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC*") {
            let _ = parse(&String::from_utf8_lossy(&bytes));
            let _ = parse(&text);
            let _ = parse(&format!(r#"{{"apiVersion":{text:?}}}"#));
        }

        #[test]
        fn every_line_parses_back(token in "\\PC*", seconds in any::<i64>()) {
            let moment = DateTime::from_timestamp(seconds, 0);
            if let Ok(line) = credential_line(ApiVersion::V1, &token, moment) {
                prop_assert!(line.ends_with('\n') && line.lines().count() == 1);
                prop_assert!(line.capacity() <= 2 * token.len() + 256, "the line outgrew its room");
                let value: Value = serde_json::from_str(&line).unwrap();
                prop_assert_eq!(value["status"]["token"].as_str(), Some(token.as_str()));
                prop_assert_eq!(value["status"].get("expirationTimestamp").is_some(), moment.is_some());
            }
        }
    }
}
