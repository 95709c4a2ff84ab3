//! The page that the browser shows at the end: small, without scripts, with the same text as the terminal.

use html_escape::{encode_double_quoted_attribute, encode_text};
use url::Url;

use super::ErrorMessage;

/// What the browser shows.
#[derive(Clone, Debug)]
pub struct CallbackPage {
    /// HTTP status code.
    pub status: u16,
    heading: &'static str,
    sentences: Vec<String>,
    /// Where the browser goes from here.
    next: Option<Url>,
}

/// What to do on a page that does not end the sign-in.
const STILL_WAITING: &str =
    "The sign-in is still waiting: go on where its page was opened, or open the address that the terminal shows.";

impl CallbackPage {
    /// The sign-in succeeded; `sentence` says who signed in.
    pub fn done(sentence: &str, next: Option<Url>) -> CallbackPage {
        let sentences = vec![sentence.to_owned(), "You can close this page.".to_owned()];
        CallbackPage { status: 200, heading: "Signed in", sentences, next }
    }

    /// The sign-in failed.
    pub fn failed(error: &ErrorMessage) -> CallbackPage {
        let next = format!("Next: {}", error.next);
        let steps = next.lines().map(str::to_owned);
        let reference = error.reference.iter().map(|reference| format!("For the help desk: {reference}"));
        let sentences = std::iter::once(format!("Error: {}", error.what)).chain(steps).chain(reference).collect();
        CallbackPage { status: 400, heading: "Not signed in", sentences, next: None }
    }

    /// The request is not the callback, so the sign-in goes on; `why` is a clause.
    pub fn not_the_callback(status: u16, why: &str) -> CallbackPage {
        let sentences = vec![format!("This is not the answer to the sign-in: {why}."), STILL_WAITING.to_owned()];
        CallbackPage { status, heading: "Not signed in", sentences, next: None }
    }

    /// There was a callback before.
    pub fn repeated() -> CallbackPage {
        let sentences =
            vec!["This sign-in has been answered already. How it ended is said where it was started.".to_owned()];
        CallbackPage { status: 409, heading: "Answered already", sentences, next: None }
    }

    /// The page as HTML.
    pub fn html(&self) -> String {
        let heading = encode_text(self.heading);
        let lines = self.sentences.iter().map(|text| format!("<p>{}</p>\n", encode_text(text))).collect::<String>();
        let (refresh, link) = match &self.next {
            None => Default::default(),
            Some(url) => {
                let url = encode_double_quoted_attribute(url.as_str()).into_owned();
                (
                    format!("<meta http-equiv=\"refresh\" content=\"0;URL={url}\">\n"),
                    format!("<p><a href=\"{url}\">Go on</a></p>\n"),
                )
            }
        };
        let colour = if self.status == 200 { "#1a7f37" } else { "#b3261e" };
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{refresh}\
             <title>{heading} - kubectl login</title>\n<style>\n\
             :root {{ color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif; }}\n\
             body {{ max-width: 34rem; margin: 15vh auto 0; padding: 0 1.5rem; overflow-wrap: anywhere; }}\n\
             h1 {{ font-size: 1.6rem; border-left: .4rem solid {colour}; padding-left: .8rem; }}\n\
             footer {{ margin-top: 3rem; font-size: .85rem; opacity: .7; }}\n\
             </style>\n</head>\n<body>\n<h1>{heading}</h1>\n{lines}{link}<footer>kubectl login</footer>\n</body>\n</html>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_page_to_go_to_cannot_break_out_of_its_attribute() {
        let url = Url::parse("https://a/?b=\"><script>&c='").expect("a URL");
        let html = CallbackPage::done("Signed in.", Some(url)).html();
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("content=\"0;URL=https://a/?b=%22%3E%3Cscript%3E&amp;c="), "{html}");
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in "[<>&\"'a-z/ ]{0,40}") {
            let html = CallbackPage::done(&text, None).html();
            let without = CallbackPage::done("", None).html();
            prop_assert_eq!(html.matches('<').count(), without.matches('<').count());
            prop_assert_eq!(html.matches('>').count(), without.matches('>').count());
        }
    }
}
