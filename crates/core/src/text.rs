//! Makes text from other programs safe for a terminal; writes durations in words.

use std::time::Duration;

/// `text` without control characters (C0, DEL, C1, bidirectional overrides and other invisible format characters),
/// runs of white space folded to one blank, and cut after `limit` characters with an ellipsis.
pub fn printable(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit * 4));
    let mut length = 0;
    let mut blank_pending = false;
    for c in text.chars() {
        if c.is_whitespace() {
            blank_pending = !out.is_empty();
            continue;
        }
        if c.is_control() || is_invisible(c) {
            continue;
        }
        let needed = 1 + usize::from(blank_pending);
        if length + needed > limit {
            out.push('…');
            return out;
        }
        if std::mem::take(&mut blank_pending) {
            out.push(' ');
        }
        out.push(c);
        length += needed;
    }
    out
}

/// `text`, which may have several lines, without anything that a terminal would act on. For whole messages, which may quote
/// paths and libraries.
pub fn without_controls(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !(c.is_control() || is_invisible(*c))).collect()
}

/// The JSON in `text`, made safe for a terminal: control and invisible characters, which can occur only within its strings,
/// are written as JSON escapes of four hexadecimal digits.
pub fn json_without_controls(text: &str) -> String {
    let mut units = [0; 2];
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() || is_invisible(c) {
            c.encode_utf16(&mut units).iter().for_each(|unit| out += &format!("\\u{unit:04x}"));
        } else {
            out.push(c);
        }
        out
    })
}

/// A word for a POSIX shell, fit to be shown.
pub fn shell_word(word: &str) -> String {
    let word = printable(word, 300);
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(is_safe) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A duration in words: minutes, or seconds if it is shorter than ten minutes and not a whole number of minutes.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        600.. => (seconds.div_ceil(60), "minute"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Whether `c` is invisible and changes how its neighbours are shown, as in look-alike text.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_words() {
        let words = |seconds| in_words(Duration::from_secs(seconds));
        let said = [1, 3, 60, 90, 180, 899, 900].map(words);
        let expected = ["1 second", "3 seconds", "1 minute", "90 seconds", "3 minutes", "15 minutes", "15 minutes"];
        assert_eq!(said, expected);
    }
    use proptest::prelude::*;

    #[test]
    fn words_are_safe_in_a_shell() {
        assert_eq!(shell_word("alice@contoso.example"), "alice@contoso.example");
        assert_eq!(shell_word("bob_x.example#EXT#@contoso"), "'bob_x.example#EXT#@contoso'");
        assert_eq!(shell_word("a'b$(c)"), r"'a'\''b$(c)'");
    }

    #[test]
    fn escape_sequences_lose_their_escape() {
        assert_eq!(printable("a\u{1b}[31mred\r\n\tb\u{9b}2J", 100), "a[31mred b2J");
        assert_eq!(printable("pay\u{202e}lapyap", 100), "paylapyap");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }

    #[test]
    fn whole_messages_keep_their_lines() {
        assert_eq!(without_controls("a\x1b]0;x\x07b\nc\u{202e}d"), "a]0;xb\ncd");
    }

    proptest! {
        #[test]
        fn json_stays_the_same_json(text in any::<String>()) {
            let json = serde_json::to_string(&text).expect("a string");
            let shown = json_without_controls(&json);
            prop_assert!(shown.chars().all(|c| !c.is_control() && !is_invisible(c)));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).expect("JSON"), text);
        }

        #[test]
        fn control_characters_are_removed(text in any::<String>(), limit in 0usize..200) {
            let shown = printable(&text, limit);
            prop_assert!(shown.chars().all(|c| !c.is_control() && !is_invisible(c)));
            prop_assert!(shown.chars().count() <= limit + 1);
        }
    }
}
