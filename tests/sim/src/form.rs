//! HTML forms: how the pages write them, and how a test in the role of the browser reads them.

use std::fmt::Write as _;

/// A form on one of the world's pages. With `get`, a browser makes the fields the query of the action; with `post`, it
/// sends them as the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// `get` or `post`.
    pub method: String,
    /// The address that the form is sent to.
    pub action: String,
    /// The hidden fields, in order.
    pub fields: Vec<(String, String)>,
}

impl Form {
    pub(crate) fn new(method: &str, action: &str, fields: &[(&str, String)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { method: method.to_owned(), action: action.to_owned(), fields }
    }

    /// The form in HTML, with buttons and the like inside. `frame` is the target for the response, if not the page
    /// itself.
    pub(crate) fn html(&self, frame: Option<&str>, inside: &str) -> String {
        let target = frame.map_or_else(String::new, |frame| format!(" target=\"{frame}\""));
        let mut html = format!("<form method=\"{}\" action=\"{}\"{target}>", self.method, escaped(&self.action));
        for (name, value) in &self.fields {
            let (name, value) = (escaped(name), escaped(value));
            let _ = write!(html, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        }
        html + inside + "</form>\n"
    }

    /// The forms of one of this world's pages, in order. It does not read HTML in general.
    pub fn all_in(page: &str) -> Vec<Self> {
        page.split("<form").skip(1).map(Self::read).collect()
    }

    fn read(html: &str) -> Self {
        let html = html.split("</form>").next().unwrap_or(html);
        let (head, inside) = html.split_once('>').unwrap_or((html, ""));
        let hidden = inside.split("<input type=\"hidden\"").skip(1);
        let fields = hidden.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect();
        Self { method: attribute(head, "method"), action: attribute(head, "action"), fields }
    }

    /// The value of that field, or an empty string.
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// The first attribute of that name, or an empty string.
fn attribute(html: &str, name: &str) -> String {
    let start = format!(" {name}=\"");
    let value = html.split_once(&start).and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default();
    let plain = value.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
    plain.replace("&amp;", "&")
}

/// Escapes text for HTML, attributes included.
pub(crate) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_round_trips() {
        let form = Form::new(
            "post",
            "http://localhost:1/?a=1&b=\"2\"",
            &[("state", "<&amp;'>".to_owned()), ("x", "".to_owned())],
        );
        let page = form.html(Some("first"), "<button>Go</button>") + &form.html(None, "");
        assert_eq!(Form::all_in(&page), [form.clone(), form]);
    }
}
