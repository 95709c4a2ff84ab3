//! Documented ways in which single issuers differ from the standard. `oauth` does not know them: its callers pass on what
//! applies to the issuer that they ask.

/// Other names by which tokens of `issuer` may name it.
pub fn other_names(issuer: &str) -> &'static [&'static str] {
    match issuer {
        // https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
        "https://accounts.google.com" => &["accounts.google.com"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_issuer_itself_has_another_name() {
        assert_eq!(other_names("https://accounts.google.com"), ["accounts.google.com"]);
        for issuer in ["accounts.google.com", "https://accounts.google.com/", "http://accounts.google.com", ""] {
            assert!(other_names(issuer).is_empty(), "{issuer}");
        }
    }
}
