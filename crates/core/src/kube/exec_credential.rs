//! The exec-credential protocol: the exec info that a Kubernetes client sends in `KUBERNETES_EXEC_INFO`, and the line that
//! it reads back.
//!
//! Must not know where the text comes from, how a token is obtained, or who prints the line. Reading is lenient on
//! purpose: about half of the clients send nothing, a wrong `kind`, or a cluster in a format of their own. Only input
//! that no answer can match is refused.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins> and
//! <https://kubernetes.io/docs/reference/config-api/client-authentication.v1/>.

use std::fmt;

use chrono::{DateTime, Datelike as _, Utc};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
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
    /// `client.authentication.k8s.io/v1beta1`, which every client accepts; used if nothing else is known.
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

    /// The version that an `apiVersion` names; `None` if it is not supported.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::V1, Self::V1Beta1].into_iter().find(|version| version.as_str() == name)
    }
}

/// The exec info of the calling client. The default is that of a client that sends none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecInfo {
    /// The version to answer in, if the client says.
    pub api_version: Option<ApiVersion>,
    /// `spec.cluster.server`: the API server's URL, as sent and unchecked. Only with `provideClusterInfo: true`.
    pub server: Option<String>,
    /// `spec.interactive`, as sent. Proves nothing: clients compute it in contradictory ways.
    pub interactive: Option<bool>,
}

/// Why the value of `KUBERNETES_EXEC_INFO` is refused. No variant repeats it, because it may hold whole certificates.
#[derive(Clone, Debug, PartialEq, Eq, Error, serde::Serialize, serde::Deserialize)]
pub enum ExecInfoError {
    /// The text is not JSON.
    #[error("the exec info is not JSON")]
    NotJson,
    /// The text is JSON, but a list, a string, a number or the like.
    #[error("the exec info is not a JSON object")]
    NotAnObject,
    /// The client asks for a version this program does not speak. Holds that version, shortened and made printable.
    #[error("the client asks for the exec-credential version \"{0}\", which is not supported")]
    UnsupportedVersion(String),
}

impl ExecInfo {
    /// Reads the value of `KUBERNETES_EXEC_INFO`.
    ///
    /// Nothing, only white space, or `null` is the default. Keys match in any letter case, and the last of several counts,
    /// as in Go's `encoding/json`. `kind` is not looked at, and a field that is `null`, empty or of an unexpected type counts
    /// as absent.
    ///
    /// # Errors
    /// [`ExecInfoError`]: not JSON, not a JSON object, or a version that is neither `v1` nor `v1beta1`.
    pub fn parse(text: Option<&str>) -> Result<Self, ExecInfoError> {
        let text = text.unwrap_or_default().trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let info: Node = serde_json::from_str(text).map_err(|_| ExecInfoError::NotJson)?;
        if !matches!(info, Node::Object(_) | Node::Null) {
            return Err(ExecInfoError::NotAnObject);
        }
        let api_version = match info.text(&["apiVersion"]).unwrap_or_default().trim() {
            "" => None,
            name => match ApiVersion::from_name(name) {
                Some(version) => Some(version),
                None => return Err(ExecInfoError::UnsupportedVersion(printable(name, 60))),
            },
        };
        let server = info.text(&["spec", "cluster", "server"]);
        let interactive = match info.find(&["spec", "interactive"]) {
            Some(Node::Bool(interactive)) => Some(*interactive),
            _ => None,
        };
        Ok(Self { api_version, server: server.filter(|server| !server.is_empty()).map(str::to_owned), interactive })
    }
}

/// JSON with its fields in order, because Go's rules for keys depend on it.
enum Node {
    Object(Vec<(String, Node)>),
    Text(String),
    Bool(bool),
    Null,
    /// A list or a number.
    Other,
}

impl Node {
    /// What `path` leads to. Of several fields with one name the last counts, unless it is `null`.
    fn find(&self, path: &[&str]) -> Option<&Node> {
        let Some((name, rest)) = path.split_first() else { return Some(self) };
        let Node::Object(fields) = self else { return None };
        fields.iter().rev().filter(|(key, _)| key.eq_ignore_ascii_case(name)).find_map(|(_, node)| match node {
            Node::Null => None,
            node => node.find(rest),
        })
    }

    fn text(&self, path: &[&str]) -> Option<&str> {
        match self.find(path)? {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Node::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }
}

/// The token is empty or holds white space or control characters, so no client could put it into an `Authorization`
/// header (RFC 6750 section 2.1). Nothing of the token is kept in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, serde::Serialize, serde::Deserialize)]
#[error("the token that was issued is empty or contains spaces or control characters, so no HTTP header can carry it")]
pub struct InvalidToken;

/// Whether `token` can be a bearer token (RFC 6750 section 2.1).
///
/// # Errors
/// [`InvalidToken`] when it cannot.
pub fn check_token(token: &str) -> Result<(), InvalidToken> {
    if token.is_empty() || token.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(InvalidToken);
    }
    Ok(())
}

/// The answer to the client: an `ExecCredential` as one line of compact JSON with its line feed.
///
/// `expires_at` is written in whole seconds, rounded down, and left out when there is none (the client then keeps the
/// token until the server answers 401). The text is wiped when dropped, and no unwiped copy is made on the way.
///
/// # Errors
/// [`InvalidToken`] when the token cannot be a bearer token.
pub fn credential_line(
    api_version: ApiVersion,
    token: &str,
    expires_at: Option<DateTime<Utc>>,
) -> Result<Zeroizing<String>, InvalidToken> {
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
    use serde_json::Value;

    use super::*;

    fn parse(text: &str) -> Result<ExecInfo, ExecInfoError> {
        ExecInfo::parse(Some(text))
    }

    #[test]
    fn missing_exec_info_is_the_default() {
        for text in [None, Some(""), Some(" \n"), Some("{}"), Some("\u{feff}{}"), Some("null")] {
            assert_eq!(ExecInfo::parse(text), Ok(ExecInfo::default()), "{text:?}");
        }
        assert_eq!((ExecInfo::default().api_version, ApiVersion::default()), (None, ApiVersion::V1Beta1));
    }

    #[test]
    fn exec_info_of_kubectl_is_read() {
        let text = concat!(
            r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"#,
            r#""cluster":{"server":"https://127.0.0.1:6443","config":{"a":[1]}},"interactive":true}}"#,
            "\n"
        );
        let expected = ExecInfo {
            api_version: Some(ApiVersion::V1),
            server: Some("https://127.0.0.1:6443".to_owned()),
            interactive: Some(true),
        };
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn unexpected_types_are_ignored() {
        for text in [
            r#"{"apiVersion":null}"#,
            r#"{"apiVersion":""}"#,
            r#"{"apiVersion":1}"#,
            r#"{"kind":7,"spec":"none"}"#,
            r#"{"spec":{"cluster":[1],"interactive":"yes"}}"#,
            r#"{"spec":{"cluster":{"server":{}},"interactive":null}}"#,
            r#"{"spec":{"cluster":{"server":""}}}"#,
            r#"{"apiVersion":null,"kind":null,"spec":null}"#,
            r#"{"spec":{"cluster":null,"more":[{"a":1.5},-1,1e4]}}"#,
        ] {
            assert_eq!(parse(text), Ok(ExecInfo::default()), "{text}");
        }
    }

    #[test]
    fn keys_match_in_any_case_and_the_last_one_wins() {
        let v1 = || ExecInfo { api_version: Some(ApiVersion::V1), ..ExecInfo::default() };
        for text in [
            r#"{"apiversion":"client.authentication.k8s.io/v1"}"#,
            r#"{"APIVERSION":"client.authentication.k8s.io/v1","kind":"ExecCredentials"}"#,
            r#"{"apiVersion":"client.authentication.k8s.io/v1beta1","ApiVersion":"client.authentication.k8s.io/v1"}"#,
            r#"{"ApiVersion":"client.authentication.k8s.io/v9","apiVersion":"client.authentication.k8s.io/v1"}"#,
            r#"{"apiVersion":"client.authentication.k8s.io/v1","APIVersion":null,"unknown":{"apiVersion":1}}"#,
        ] {
            assert_eq!(parse(text), Ok(v1()), "{text}");
        }
        let text = r#"{"apiVersion":"client.authentication.k8s.io/v1",
            "Spec":{"CLUSTER":{"Server":"https://a"},"INTERACTIVE":false},"spec":{"interactive":true}}"#;
        let expected = ExecInfo { server: Some("https://a".to_owned()), interactive: Some(true), ..v1() };
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn unusable_exec_info_is_refused() {
        assert_eq!(parse("secret-ca-data"), Err(ExecInfoError::NotJson));
        for text in ["[]", "\"x\"", "1", "true"] {
            assert_eq!(parse(text), Err(ExecInfoError::NotAnObject), "{text}");
        }
        let old = parse(r#"{"apiVersion":"client.authentication.k8s.io/v1alpha1"}"#).unwrap_err();
        assert!(old.to_string().contains("\"client.authentication.k8s.io/v1alpha1\""), "{old}");
        let long = parse(&format!(r#"{{"apiVersion":"\u001b[2J{}"}}"#, "x".repeat(500))).unwrap_err().to_string();
        assert!(long.len() < 200 && !long.contains('\u{1b}'), "{long}");
    }

    #[test]
    fn credential_line_is_exact() {
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
