//! Flags with `NAME=VALUE`, read like the other tools' parser does (pflag, stringToString): a value with a single `=` is one
//! pair, including its commas; a value with more is a line of CSV.

/// The pairs of all values. The last one of a name wins.
///
/// Errors: something is not a pair. It is not repeated: it may be a secret.
pub(super) fn pairs(given: &[String]) -> Result<Vec<(String, String)>, NotNameValue> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for value in given.iter().filter(|value| !value.is_empty()) {
        let fields = match value.matches('=').count() {
            1 => vec![value.trim_matches('"').to_owned()],
            _ => fields(value),
        };
        for field in fields {
            let (name, value) = field.split_once('=').ok_or(NotNameValue)?;
            let name = name.trim();
            if name.is_empty() {
                return Err(NotNameValue);
            }
            pairs.retain(|(known, _)| known != name);
            pairs.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(pairs)
}

/// A pair in the form that [`pairs`] reads, as one value. The name is not checked.
pub(super) fn written(name: &str, value: &str) -> String {
    let pair = format!("{name}={value}");
    let as_field = || format!("\"{}\"", pair.replace('"', "\"\""));
    match pair.matches('=').count() {
        1 if pair.trim_matches('"') == pair => pair,
        // A single pair would lose the quotes at its ends, and only a line with two pairs is read as CSV.
        1 => format!("{0},{0}", as_field()),
        _ => as_field(),
    }
}

/// Something that is not `NAME=VALUE`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotNameValue;

/// The fields of one line of CSV (RFC 4180): a field in quotes may hold commas, and quotes twice.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if quoted || field.is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[&str]) -> Result<Vec<(String, String)>, NotNameValue> {
        pairs(&given.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn written_pair_is_read_as_it_was() {
        for (name, value) in [("a", "1,2"), ("a", ""), ("a", "x=\"y\",z="), ("a", "\"q\""), ("\"a", "b"), ("a", "\"")] {
            assert_eq!(read(&[&written(name, value)]), Ok(vec![pair(name, value)]), "{name}={value}");
        }
        assert_eq!(written("acr_values", "urn:a,urn:b"), "acr_values=urn:a,urn:b");
    }

    #[test]
    fn pairs_are_pflags() {
        assert_eq!(read(&["a=1", "b=2,c=3"]), Ok(vec![pair("a", "1"), pair("b", "2"), pair("c", "3")]));
        assert_eq!(read(&["acr_values=urn:a,urn:b"]), Ok(vec![pair("acr_values", "urn:a,urn:b")]));
        assert_eq!(read(&[r#""a=1,2",b="#]), Ok(vec![pair("a", "1,2"), pair("b", "")]));
        assert_eq!(read(&["a=x=y,b=z"]), Ok(vec![pair("a", "x=y"), pair("b", "z")]));
        assert_eq!(read(&["a=1", "a=2"]), Ok(vec![pair("a", "2")]));
        for wrong in ["a", "=1", "a=1,b=2,c"] {
            assert_eq!(read(&[wrong]), Err(NotNameValue), "{wrong}");
        }
    }
}
