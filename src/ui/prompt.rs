//! What a person reads who has to sign in.

use std::time::Duration;

use kubectl_login::profile::{Profile, Provider};
use kubectl_login::signin::confirmation::Confirmation;
use kubectl_login::signin::{CodePrompt, PagePrompt, Question, WayBack, Why};
use kubectl_login_core::entra::cloud;
use kubectl_login_core::text::{in_words, printable};

use super::browser::Opened;
use super::qr;
use super::screen::{Screen, to_clipboard};
use super::style::{Style, paint};
use super::target::{Target, account};
use super::wrap::wrapped;

/// For whom somebody signs in, as far as prompts show it.
pub(super) struct Subject<'a> {
    /// Cluster or context, where it is known.
    pub(super) target: Option<&'a Target>,
    pub(super) profile: &'a Profile,
    /// What leads `kubectl login` to it, as words of a shell.
    pub(super) words: &'a dyn Fn() -> String,
}

/// The prompt for a code: for whom; address and code, each alone on its line so that a double click takes it whole; the QR
/// code where there is room for all of it. How long the code lives is said at the end where no countdown says it.
pub(super) fn code(prompt: &CodePrompt<'_>, subject: &Subject<'_>, opened: &Opened, screen: &Screen) -> String {
    let open = match opened {
        Opened::Yes => "Your browser should open this page; any other device will do too:".to_owned(),
        _ => to_be_opened(opened, ", on any device"),
    };
    let copied = if screen.clipboard { " (it is on the clipboard, if your terminal allows it)" } else { "" };
    let sentences = |text: &str| wrapped(text, 0, screen.columns());
    let top = format!(
        "\n{}\n\n{}\n{}\n{}\n{}\n",
        sentences(&heading(&prompt.why, subject)),
        sentences(&format!("{}{open}", elsewhere(prompt.foreign.as_deref()))),
        alone(prompt.address.as_str(), screen),
        sentences(&format!("and enter this code{copied}:")),
        alone(prompt.code, screen),
    );
    let life =
        if screen.counts_down { String::new() } else { format!("The code is good for {}. ", in_words(prompt.life)) };
    let refused = if prompt.has_page { without_a_code(subject) } else { String::new() };
    let caution = format!("{life}Only enter a code that you asked for yourself.{refused}");
    let bottom = format!("{}\n\n", sentences(&caution));
    // The countdown's line is one more.
    let taken = rows(&top, screen) + rows(&bottom, screen) + 1;
    let scan = qr_code(prompt, screen, taken).unwrap_or_default();
    let clipboard = if screen.clipboard { to_clipboard(prompt.code) } else { String::new() };
    format!("{clipboard}{top}{scan}{bottom}")
}

/// The prompt for a page: for whom; its address, alone on its lines; and what to do where the browser cannot come back by
/// itself, if anything can be taken by hand.
pub(super) fn page(
    prompt: &PagePrompt<'_>,
    subject: &Subject<'_>,
    opened: &Opened,
    takes_lines: bool,
    screen: &Screen,
) -> String {
    // Long addresses are hard to copy from a terminal. One that is open already is not worth somebody's clipboard.
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
        WayBack::Person => {
            "The browser will end on a page that it cannot show. Paste that page's address here and press Enter."
        }
        WayBack::PersonOrStdin => {
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
        wrapped(&heading(&prompt.why, subject), 0, screen.columns()),
        wrapped(&format!("{}{open}", elsewhere(prompt.foreign.as_deref())), 0, screen.columns()),
        alone(prompt.address.as_str(), screen),
    )
}

/// A question whose answer is typed on the line below; why, and the time there is, where that has not been said yet.
pub(super) fn question(
    question: Question<'_>,
    why: Option<(&Why<'_>, Duration)>,
    subject: &Subject<'_>,
    screen: &Screen,
) -> String {
    let before = why.map(|(why, life)| format!("{} You have {}.\n", heading(why, subject), in_words(life)));
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

/// Why, to what, as whom, at whom, and in which way.
fn heading(why: &Why<'_>, subject: &Subject<'_>) -> String {
    let reason = why.reason.map(|reason| format!("A new sign-in is needed: {reason}.\n")).unwrap_or_default();
    let choice = why.choice.map(|choice| format!("\n{choice}")).unwrap_or_default();
    let cluster = subject.target.map_or_else(|| "Kubernetes".to_owned(), Target::shown);
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

/// Who signs the user in: a tenant, with its sign-in host unless that is the one everyone expects, or an issuer.
fn issuer(subject: &Subject<'_>) -> String {
    match &subject.profile.provider {
        Provider::Entra { authority, tenant, .. } => {
            let host = cloud::named(authority).map(|host| format!(" at {host}")).unwrap_or_default();
            format!("tenant {}{host}", printable(tenant, 100))
        }
        Provider::Oidc { issuer, .. } => format!("issuer {}", printable(issuer, 200)),
    }
}

/// What is to be confirmed, and who gets the token.
fn confirm(confirmation: Confirmation<'_>, subject: &Subject<'_>, screen: &Screen) -> String {
    let what = format!("One thing has to be confirmed: {} ({}).", confirmation.what(), issuer(subject));
    let whom = subject.target.map(|target| format!("\nThe token goes to {}.", target.shown())).unwrap_or_default();
    let request = format!("Type yes if {}, and press Enter:", confirmation.trust());
    format!("\n{}\n", wrapped(&format!("{what}{whom}\n{request}"), 0, screen.columns()))
}

/// A page that is another site's, before the words that ask to open it.
fn elsewhere(host: Option<&str>) -> String {
    host.map(|host| format!("The next page belongs to another site, {host}.\n")).unwrap_or_default()
}

/// What to do if a policy refuses the code: its page is seen in the browser alone.
fn without_a_code(subject: &Subject<'_>) -> String {
    let flag = match subject.profile.provider {
        Provider::Entra { .. } => "--login interactive",
        Provider::Oidc { .. } => "--grant-type authcode",
    };
    let command = format!("kubectl login {flag} {}", (subject.words)());
    format!("\nIf the browser refuses, press Ctrl-C, then: {}", command.trim_end())
}

/// What to do with an address that is not open already; `addition` goes with it.
fn to_be_opened(opened: &Opened, addition: &str) -> String {
    let request = format!("Open this page in a browser{addition}:");
    match opened {
        Opened::Failed(program) => format!("{} cannot be started. {request}", printable(program, 100)),
        Opened::Yes | Opened::No => request,
    }
}

/// What is to be copied. Colours begin and end on the empty lines around, so that the line itself is that and nothing else.
fn alone(text: &str, screen: &Screen) -> String {
    paint(screen.colour, Style::Strong, &format!("\n{text}\n"))
}

/// The address as a QR code, with a line above and an empty one below, if it fits beside `taken` rows.
fn qr_code(prompt: &CodePrompt<'_>, screen: &Screen, taken: usize) -> Option<String> {
    let (columns, rows) = screen.size.filter(|_| screen.blocks)?;
    let lines = qr::lines(prompt.complete_address.unwrap_or(prompt.address).as_str(), screen.colour)?;
    // A line has two modules' height, so there are nearly twice as many columns as lines.
    let fits = 2 * lines.len() <= columns && taken + lines.len() + 2 <= rows;
    fits.then(|| format!("Or scan this with a telephone:\n{}\n\n", lines.join("\n")))
}

/// How many rows `text` takes on the screen.
fn rows(text: &str, screen: &Screen) -> usize {
    let columns = screen.columns().unwrap_or(usize::MAX);
    text.lines().map(|line| line.chars().count().div_ceil(columns).max(1)).sum()
}
