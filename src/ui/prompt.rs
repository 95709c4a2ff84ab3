//! What a person reads who has to use a code.

use std::time::Duration;

use kubectl_login::profile::{Profile, Provider};
use kubectl_login::signin::CodePrompt;
use kubectl_login::text::printable;

use super::browser::Opened;
use super::qr;
use super::screen::{Screen, to_clipboard};
use super::style::{Style, paint};
use super::wrap::wrapped;

/// The prompt: for whom; address and code, each alone on its line so that a double click takes it whole; the QR code
/// where there is room for all of it. How long the code lives is said at the end where no countdown says it.
pub(super) fn text(
    prompt: &CodePrompt<'_>,
    for_whom: Option<&str>,
    profile: &Profile,
    opened: &Opened,
    screen: &Screen,
) -> String {
    let reason = prompt.reason.map(|reason| format!("A new sign-in is needed: {reason}.\n")).unwrap_or_default();
    let cluster = for_whom.map_or_else(|| "Kubernetes".to_owned(), |name| printable(name, 200));
    let account = profile.account_hint.as_ref().map(|hint| format!(" as {}", printable(hint, 100)));
    let issuer = match &profile.provider {
        Provider::Entra { tenant, .. } => format!("tenant {}", printable(tenant, 100)),
        Provider::Oidc { issuer, .. } => format!("issuer {}", printable(issuer, 200)),
    };
    let open = match opened {
        Opened::Yes => "Your browser should open this page; any other device will do too:".to_owned(),
        Opened::No => "Open this page in a browser, on any device:".to_owned(),
        Opened::Failed(program) => {
            format!("{} cannot be started. Open this page in a browser, on any device:", printable(program, 100))
        }
    };
    let copied = if screen.clipboard { " (it is on the clipboard, if your terminal allows it)" } else { "" };
    // Colours begin and end on the empty lines around, so that the line itself is what is to be copied and nothing else.
    let alone = |text: &str| paint(screen.colour, Style::Strong, &format!("\n{text}\n"));
    let sentences = |text: &str| wrapped(text, 0, screen.columns());
    let top = format!(
        "\n{}\n\n{}\n{}\n{}\n{}\n",
        sentences(&format!("{reason}Sign in to {cluster}{} ({issuer}).", account.unwrap_or_default())),
        sentences(&open),
        alone(&prompt.address),
        sentences(&format!("and enter this code{copied}:")),
        alone(&prompt.code),
    );
    let life =
        if screen.counts_down { String::new() } else { format!("The code is good for {}. ", minutes(prompt.life)) };
    let bottom = format!("{}\n\n", sentences(&format!("{life}Only enter a code that you asked for yourself.")));
    // The countdown's line is one more.
    let taken = rows(&top, screen) + rows(&bottom, screen) + 1;
    let scan = qr_code(prompt, screen, taken).unwrap_or_default();
    let clipboard = if screen.clipboard { to_clipboard(&prompt.code) } else { String::new() };
    format!("{clipboard}{top}{scan}{bottom}")
}

/// The address as a QR code, with a line above and an empty one below, if it fits beside `taken` rows.
fn qr_code(prompt: &CodePrompt<'_>, screen: &Screen, taken: usize) -> Option<String> {
    let (columns, rows) = screen.size.filter(|_| screen.blocks)?;
    let address = prompt.address_to_open.map_or(prompt.address.as_str(), url::Url::as_str);
    let lines = qr::lines(address, screen.colour)?;
    // A line has two modules' height, so there are nearly twice as many columns as lines.
    let fits = 2 * lines.len() <= columns && taken + lines.len() + 2 <= rows;
    fits.then(|| format!("Or scan this with a telephone:\n{}\n\n", lines.join("\n")))
}

/// How many rows `text` takes on the screen.
fn rows(text: &str, screen: &Screen) -> usize {
    let columns = screen.columns().unwrap_or(usize::MAX);
    text.lines().map(|line| line.chars().count().div_ceil(columns).max(1)).sum()
}

fn minutes(life: Duration) -> String {
    match life.as_secs().div_ceil(60) {
        1 => "1 minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}
