//! The one message that kubectl sends only in protobuf: a SelfSubjectAccessReview, converted to its JSON form.
//!
//! The fields are those of `k8s.io/api/authorization/v1/generated.proto`, in the envelope of Kubernetes' binary
//! encoding.

use std::iter::from_fn;

use serde_json::{Map, Value, json};

const MAGIC: &[u8] = b"k8s\0";
const RESOURCE_ATTRIBUTES: [&str; 7] = ["namespace", "verb", "group", "version", "resource", "subresource", "name"];
const NON_RESOURCE_ATTRIBUTES: [&str; 2] = ["path", "verb"];

/// A decoded body; null if it is something else.
pub(crate) fn review(body: &[u8]) -> Value {
    let Some(unknown) = body.strip_prefix(MAGIC) else { return Value::Null };
    let spec = field(unknown, 2).and_then(|raw| field(raw, 2)).unwrap_or_default();
    let mut found = Map::new();
    for (number, name, names) in [
        (1, "resourceAttributes", RESOURCE_ATTRIBUTES.as_slice()),
        (2, "nonResourceAttributes", NON_RESOURCE_ATTRIBUTES.as_slice()),
    ] {
        if let Some(attributes) = field(spec, number) {
            found.insert(name.to_owned(), texts(attributes, names));
        }
    }
    json!({ "kind": "SelfSubjectAccessReview", "spec": found })
}

/// The string fields of a message; the first name has field number 1.
fn texts(message: &[u8], names: &[&str]) -> Value {
    let text = |number| String::from_utf8_lossy(field(message, number).unwrap_or_default()).into_owned();
    (1..).zip(names).map(|(number, name)| ((*name).to_owned(), Value::String(text(number)))).collect()
}

fn field(message: &[u8], number: u64) -> Option<&[u8]> {
    fields(message).find(|(found, _)| *found == number).map(|(_, bytes)| bytes)
}

/// The fields of a message that have a length (wire type 2), up to the first field that has none.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    from_fn(move || {
        let key = varint(&mut message).filter(|key| key & 7 == 2)?;
        let length = usize::try_from(varint(&mut message)?).ok()?;
        let (bytes, rest) = message.split_at_checked(length)?;
        message = rest;
        Some((key >> 3, bytes))
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_access_review_is_decoded() {
        let attributes = b"\x0a\x07default\x12\x04list\x2a\x04pods";
        let within = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
        let body = [MAGIC, &within(2, &within(2, &within(1, attributes)))].concat();
        let found = review(&body);
        let attributes = &found["spec"]["resourceAttributes"];
        assert_eq!(
            (&attributes["namespace"], &attributes["verb"], &attributes["resource"]),
            (&json!("default"), &json!("list"), &json!("pods"))
        );
        assert_eq!(found["spec"]["nonResourceAttributes"], Value::Null);
        assert_eq!(review(b"{}"), Value::Null);
        assert_eq!(review(b"k8s\0\x12\xff")["spec"], json!({}));
    }
}
