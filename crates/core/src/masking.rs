//! Removes secrets from the text of a server, in case it repeats what it was sent.

use std::borrow::Cow;

use base64::Engine as _;

/// The replacement for a secret.
const HIDDEN: &str = "[hidden]";
/// The shortest text that is replaced, in bytes: replacing a few letters would damage other words.
const SHORTEST: usize = 8;
/// How many times over a server may encode what it repeats.
const DEPTH: usize = 2;
/// How much is searched at most, in bytes. Messages show much less.
const CAP: usize = 64 * 1024;

/// `text` without `secrets`: unencoded, percent-encoded (once or twice), as form fields, with escapes of JSON or HTML, and
/// in base64, also of a longer text as in `Authorization: Basic`. The result comes from the first 64 KiB of `text`.
pub fn hide<'s>(text: &str, secrets: impl IntoIterator<Item = &'s str>) -> String {
    let mut end = text.len().min(CAP);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut text = Cow::Borrowed(&text[..end]);
    for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST) {
        text = without(text, secret, false);
        // Client id and secret are form-encoded before they become base64 (RFC 6749 2.3.1).
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for run in in_base64(secret.as_bytes()).chain(in_base64(form.as_bytes())) {
            text = without(text, &run, true);
        }
    }
    text.into_owned()
}

/// `text` without `secret`; with `all_of_it` also without the rest of the base64 that it is a part of.
fn without<'t>(text: Cow<'t, str>, secret: &str, all_of_it: bool) -> Cow<'t, str> {
    let mut out = String::new();
    let mut rest = &*text;
    while let Some((at, length)) = find(rest, secret) {
        let (before, found) = rest.split_at(at);
        let behind = &found[length..];
        let (before, behind) = match all_of_it {
            true => (before.trim_end_matches(is_base64), behind.trim_start_matches(is_base64)),
            false => (before, behind),
        };
        out = out + before + HIDDEN;
        rest = behind;
    }
    if out.is_empty() { text } else { Cow::Owned(out + rest) }
}

/// Where `secret` is in `text`, and in how many bytes it is written there.
fn find(text: &str, secret: &str) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(at, _)| Some((at, length(&text[at..], secret)?)))
}

/// In how many bytes `secret` is written at the beginning of `text`, each character in an encoding of its own.
fn length(text: &str, secret: &str) -> Option<usize> {
    if text.starts_with(secret) {
        return Some(secret.len());
    }
    (1..=DEPTH).find_map(|depth| {
        let character = |text: &str, c| encoded(text, c, depth).or_else(|| plain(text, c));
        secret.chars().try_fold(0, |at, c| Some(at + character(&text[at..], c)?))
    })
}

fn plain(text: &str, c: char) -> Option<usize> {
    text.starts_with(c).then_some(c.len_utf8())
}

/// The length of `c` at the beginning of `text`, if it is encoded there, `depth` times.
fn encoded(text: &str, c: char, depth: usize) -> Option<usize> {
    match text.as_bytes().first()? {
        b'%' => percent_encoded(text, c, depth),
        b'+' => (c == ' ').then_some(1),
        b'\\' => escaped(text, c, depth),
        b'&' => entity(text, c),
        _ => None,
    }
}

fn percent_encoded(text: &str, c: char, depth: usize) -> Option<usize> {
    let mut bytes = [0; 4];
    // Each further encoding makes `%25` of a `%`.
    let percent = format!("%{}", "25".repeat(depth - 1));
    c.encode_utf8(&mut bytes).bytes().try_fold(0, |at, byte| {
        let digits = text.get(at..)?.strip_prefix(&percent)?.get(..2)?;
        (u8::from_str_radix(digits, 16) == Ok(byte)).then_some(at + percent.len() + 2)
    })
}

/// The escapes of JSON, or of JSON within JSON.
fn escaped(text: &str, c: char, depth: usize) -> Option<usize> {
    let behind = text.trim_start_matches('\\');
    let slashes = text.len() - behind.len();
    let named = match c {
        '\\' => (slashes >= 1 << depth).then_some(1 << depth),
        '"' | '/' => plain(behind, c).map(|length| slashes + length),
        _ => None,
    };
    let escape = format!("{}u", "\\".repeat(1 << (depth - 1)));
    let by_number = || {
        c.encode_utf16(&mut [0; 2]).iter().try_fold(0, |at, unit| {
            let digits = text.get(at..)?.strip_prefix(&escape)?.get(..4)?;
            (u16::from_str_radix(digits, 16) == Ok(*unit)).then_some(at + escape.len() + 4)
        })
    };
    named.or_else(by_number)
}

fn entity(text: &str, c: char) -> Option<usize> {
    let end = text.bytes().take(12).position(|byte| byte == b';')? + 1;
    let mut bytes = [0; 4];
    (html_escape::decode_html_entities(&text[..end]) == *c.encode_utf8(&mut bytes)).then_some(end)
}

/// The part that every base64 text has in common that encodes `bytes` among others, in both alphabets: one for each of the
/// three offsets at which `bytes` may begin.
fn in_base64(bytes: &[u8]) -> impl Iterator<Item = String> {
    let runs = [(0, 0), (1, 2), (2, 3)].map(|(before, start)| {
        let padded = [&vec![0; before][..], bytes].concat();
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&padded);
        // The last character may depend on what follows.
        text[start..padded.len() * 8 / 6].to_owned()
    });
    runs.into_iter().flat_map(|run| [run.replace('+', "-").replace('/', "_"), run])
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_=".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "s3cr+t /\"%&\\é";

    fn hidden(text: &str) -> String {
        hide(&format!("before {text} after"), [SECRET])
    }

    #[test]
    fn secret_is_hidden_in_every_encoding() {
        let percent: String = SECRET.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let json = serde_json::to_string(SECRET).expect("JSON");
        let json = json.trim_matches('"');
        let spelled: String = SECRET.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect();
        let html = html_escape::encode_quoted_attribute(SECRET).into_owned();
        let numbers: String = SECRET.chars().map(|c| format!("&#{};", u32::from(c))).collect();
        let twice = form.replace('%', "%25");
        let nested = serde_json::to_string(json).expect("JSON");
        let texts =
            [SECRET, &percent, &percent.to_uppercase(), &form, &twice, json, nested.trim_matches('"'), &spelled];
        for text in texts.into_iter().chain([html.as_str(), &numbers]) {
            assert_eq!(hidden(text), "before [hidden] after", "{text}");
        }
    }

    #[test]
    fn secret_is_hidden_within_a_longer_base64_text() {
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        for around in ["", "a", "ab", "abc", "client:"] {
            let pair = format!("{around}{SECRET}{around}");
            let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
            for text in [STANDARD.encode(&pair), URL_SAFE_NO_PAD.encode(&pair), STANDARD.encode(format!("id:{form}"))] {
                assert_eq!(hidden(&text), "before [hidden] after", "{around:?}");
            }
        }
    }

    #[test]
    fn secret_is_hidden_as_often_as_it_occurs() {
        assert_eq!(hide("a hunter2-hunter2 hunter2-hunter2!", ["hunter2-hunter2"]), "a [hidden] [hidden]!");
        assert_eq!(hide("no such thing", ["no", ""]), "no such thing");
    }

    proptest! {
        #[test]
        fn foreign_text_never_panics(text in any::<String>(), secret in any::<String>()) {
            let _ = hide(&text, [secret.as_str()]);
            let both = format!("{text}{secret}");
            prop_assert!(secret.len() < SHORTEST || both.len() > CAP || !hide(&both, [secret.as_str()]).contains(&secret));
        }

        #[test]
        fn text_without_the_secret_is_unchanged(text in "[ -~]{0,80}") {
            prop_assert_eq!(hide(&text, ["not-in-there-at-all"]), text);
        }
    }
}
