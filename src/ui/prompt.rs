//! The prompts for a user who has to sign in.

use std::time::Duration;

use kubectl_login::failure::Confirmation;
use kubectl_login::messages::failure::{confirmation_clause, confirmation_trust, in_one_line};
use kubectl_login::messages::sign_in::code_reason;
use kubectl_login::profile::{Profile, Provider};
use kubectl_login::signin::{CodePrompt, MethodReason, PagePrompt, PromptReason, Question, WayBack};
use kubectl_login_core::entra::cloud;
use kubectl_login_core::text::{in_words, printable};

use super::browser::Opened;
use super::qr;
use super::style::{Emphasis, paint};
use super::target::{SignInTarget, account};
use super::terminal_features::{TerminalFeatures, to_clipboard};
use super::wrap::wrapped;

/// What the user signs in to, as far as prompts show it.
pub(super) struct PromptSubject<'a> {
    /// Cluster or context, if known.
    pub(super) target: Option<&'a SignInTarget>,
    pub(super) profile: &'a Profile,
    /// The arguments that lead `kubectl login` to it, quoted for a shell.
    pub(super) words: &'a dyn Fn() -> String,
}

/// The prompt for a code: the target; address and code, each alone on its line so that a double click selects it; the QR
/// code if all of it fits. The last line says how long the code is valid, unless a countdown does.
pub(super) fn code(
    prompt: &CodePrompt<'_>,
    subject: &PromptSubject<'_>,
    opened: &Opened,
    screen: &TerminalFeatures,
) -> String {
    let open = match opened {
        Opened::Yes => "Your browser should open this page; any other device will do too:".to_owned(),
        _ => to_be_opened(opened, ", on any device"),
    };
    let copied = if screen.clipboard { " (it is on the clipboard, if your terminal allows it)" } else { "" };
    let sentences = |text: &str| wrapped(text, 0, screen.columns());
    let top = format!(
        "\n{}\n\n{}\n{}\n{}\n{}\n",
        sentences(&heading(&prompt.reason, subject)),
        sentences(&format!("{}{open}", foreign_site(prompt.foreign.as_deref()))),
        alone(prompt.address.as_str(), screen),
        sentences(&format!("and enter this code{copied}:")),
        alone(prompt.code, screen),
    );
    let life =
        if screen.counts_down { String::new() } else { format!("The code is good for {}. ", in_words(prompt.life)) };
    let refused = if prompt.has_page { without_a_code(subject) } else { String::new() };
    let caution = format!("{life}Only enter a code that you asked for yourself.{refused}");
    let bottom = format!("{}\n\n", sentences(&caution));
    // Plus the line of the countdown.
    let taken = rows(&top, screen) + rows(&bottom, screen) + 1;
    let scan = qr_code(prompt, screen, taken).unwrap_or_default();
    let clipboard = if screen.clipboard { to_clipboard(prompt.code) } else { String::new() };
    format!("{clipboard}{top}{scan}{bottom}")
}

/// The prompt for a page: the target; its address, alone on its lines; and what to paste if the browser cannot call back.
pub(super) fn page(
    prompt: &PagePrompt<'_>,
    subject: &PromptSubject<'_>,
    opened: &Opened,
    takes_lines: bool,
    screen: &TerminalFeatures,
) -> String {
    // Long addresses are hard to copy from a terminal. If the page is open already, the clipboard is left alone.
    let clipboard = screen.clipboard && *opened != Opened::Yes;
    let copied = if clipboard { " (its address is on the clipboard, if your terminal allows it)" } else { "" };
    let open = match opened {
        Opened::Yes => "Your browser should open this page:".to_owned(),
        _ => to_be_opened(opened, copied),
    };
    let way_back = match prompt.way_back {
        WayBack::Listener if takes_lines => {
            "If the browser ends on a page that it cannot show, paste that page's address here and press Enter."
        }
        WayBack::Listener => "",
        WayBack::Pasted => {
            "The browser will end on a page that it cannot show. Paste that page's address here and press Enter."
        }
        WayBack::PastedOrStdin => {
            "Then paste here the code that it shows, or the address of the page that the browser ends on, and press Enter."
        }
    };
    let way_back = match (way_back, takes_lines) {
        ("", _) => String::new(),
        (text, true) => format!("{text} (What you paste is not shown.)"),
        (text, false) => text.to_owned(),
    };
    let life = if screen.counts_down { String::new() } else { format!("You have {}.", in_words(prompt.life)) };
    let bottom = [way_back, life].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    let bottom = if bottom.is_empty() { bottom } else { format!("{}\n\n", wrapped(&bottom, 0, screen.columns())) };
    format!(
        "{}\n{}\n\n{}\n{}\n{bottom}",
        if clipboard { to_clipboard(prompt.address.as_str()) } else { String::new() },
        wrapped(&heading(&prompt.reason, subject), 0, screen.columns()),
        wrapped(&format!("{}{open}", foreign_site(prompt.foreign.as_deref())), 0, screen.columns()),
        alone(prompt.address.as_str(), screen),
    )
}

/// A question whose answer is typed on the line below, after the reason and the time limit if these were not shown yet.
pub(super) fn question(
    question: Question<'_>,
    reason: Option<(&PromptReason<'_>, Duration)>,
    subject: &PromptSubject<'_>,
    screen: &TerminalFeatures,
) -> String {
    let before = reason.map(|(reason, limit)| format!("{} You have {}.\n", heading(reason, subject), in_words(limit)));
    let question = match question {
        Question::Username => "Type your user name and press Enter:".to_owned(),
        Question::Password(name) => {
            format!("Type the password of {} and press Enter. (It is not shown.)", printable(name, 100))
        }
        Question::Confirm(confirmation) => return confirm(confirmation, subject, screen),
    };
    let text = before.map_or_else(String::new, |before| format!("\n{}\n", wrapped(&before, 0, screen.columns())));
    format!("{text}{}\n", wrapped(&question, 0, screen.columns()))
}

/// Why, to what, with which account, at which issuer, and by which method.
fn heading(reason: &PromptReason<'_>, subject: &PromptSubject<'_>) -> String {
    let choice = reason.choice.map(|choice| format!("\n{}", chosen(choice))).unwrap_or_default();
    let reason = reason.failure.map(|failure| in_one_line(failure, subject.profile));
    let reason = reason.map(|reason| format!("A new sign-in is needed: {reason}.\n")).unwrap_or_default();
    let cluster = subject.target.map_or_else(|| "Kubernetes".to_owned(), SignInTarget::shown);
    let account = subject.profile.account_hint.as_ref().map(|hint| format!(" as {}", account(hint)));
    let audience = subject.profile.audience_to_confirm();
    let audience = audience.map(|audience| format!("\nThe token is for the audience {:?}.", printable(audience, 200)));
    format!(
        "{reason}Sign in to {cluster}{} ({}).{}{choice}",
        account.unwrap_or_default(),
        issuer(subject),
        audience.unwrap_or_default()
    )
}

/// Why this program has chosen the method, as a sentence.
fn chosen(reason: &MethodReason) -> String {
    match reason {
        MethodReason::NoPage => "With a code, because the issuer has no page to sign in at.".to_owned(),
        MethodReason::NoBrowser(why) => format!("With a code, because no browser can be opened here: {why}."),
        MethodReason::NoDeviceCodes => "In a browser, because the issuer offers no device codes here.".to_owned(),
        MethodReason::NoDeviceCodeForClient(failure) => {
            let words = code_reason(failure);
            let words = words.trim_end_matches('.');
            format!("In a browser, because the issuer gives this client no code: {words}.")
        }
        MethodReason::Browser => "In the browser, because one seems to be available.".to_owned(),
        MethodReason::PageParameters => {
            "In a browser, because there are parameters for the issuer's page (--oidc-auth-request-extra-params)."
                .to_owned()
        }
    }
}

/// The issuer: a tenant, with its sign-in host unless that is the default, or an OIDC issuer.
fn issuer(subject: &PromptSubject<'_>) -> String {
    match &subject.profile.provider {
        Provider::Entra { authority, tenant, .. } => {
            let host = cloud::unexpected_host(authority).map(|host| format!(" at {host}")).unwrap_or_default();
            format!("tenant {}{host}", printable(tenant, 100))
        }
        Provider::Oidc { issuer, .. } => format!("issuer {}", printable(issuer, 200)),
    }
}

/// The question to confirm something, and who gets the token.
fn confirm(confirmation: &Confirmation, subject: &PromptSubject<'_>, screen: &TerminalFeatures) -> String {
    let what = format!("One thing has to be confirmed: {} ({}).", confirmation_clause(confirmation), issuer(subject));
    let whom = subject.target.map(|target| format!("\nThe token goes to {}.", target.shown())).unwrap_or_default();
    let request = format!("Type yes if {}, and press Enter:", confirmation_trust(confirmation));
    format!("\n{}\n", wrapped(&format!("{what}{whom}\n{request}"), 0, screen.columns()))
}

/// A notice that the page belongs to another site.
fn foreign_site(host: Option<&str>) -> String {
    host.map(|host| format!("The next page belongs to another site, {host}.\n")).unwrap_or_default()
}

/// What to do if a policy refuses the code, which only the browser shows.
fn without_a_code(subject: &PromptSubject<'_>) -> String {
    let flag = match subject.profile.provider {
        Provider::Entra { .. } => "--login interactive",
        Provider::Oidc { .. } => "--grant-type authcode",
    };
    let command = format!("kubectl login {flag} {}", (subject.words)());
    format!("\nIf the browser refuses, press Ctrl-C, then: {}", command.trim_end())
}

/// The request to open an address that is not open already, with `addition`.
fn to_be_opened(opened: &Opened, addition: &str) -> String {
    let request = format!("Open this page in a browser{addition}:");
    match opened {
        Opened::Failed(program) => format!("{} cannot be started. {request}", printable(program, 100)),
        Opened::Yes | Opened::No => request,
    }
}

/// Text to be copied, alone on its line. Colours begin and end on the empty lines around it, so that the line contains
/// nothing else.
fn alone(text: &str, screen: &TerminalFeatures) -> String {
    paint(screen.colour, Emphasis::Strong, &format!("\n{text}\n"))
}

/// The address as a QR code, with a line above and an empty one below, if it fits together with `taken` rows.
fn qr_code(prompt: &CodePrompt<'_>, screen: &TerminalFeatures, taken: usize) -> Option<String> {
    let (columns, rows) = screen.size.filter(|_| screen.blocks)?;
    let lines = qr::lines(prompt.complete_address.unwrap_or(prompt.address).as_str(), screen.colour)?;
    // A line is two modules high, so the code has nearly twice as many columns as lines.
    let fits = 2 * lines.len() <= columns && taken + lines.len() + 2 <= rows;
    fits.then(|| format!("Or scan this with a telephone:\n{}\n\n", lines.join("\n")))
}

/// The number of rows that `text` takes on the screen.
fn rows(text: &str, screen: &TerminalFeatures) -> usize {
    let columns = screen.columns().unwrap_or(usize::MAX);
    text.lines().map(|line| line.chars().count().div_ceil(columns).max(1)).sum()
}
