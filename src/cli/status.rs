//! `status`: what is remembered, from the readable parts of the records; no network, nothing unlocked.

use chrono::{DateTime, SecondsFormat, Utc};
use kubectl_login::environment::Environment;
use kubectl_login::error::{Error, Result};
use kubectl_login::paths;
use kubectl_login::store::Store;
use kubectl_login::text::printable;
use serde::Serialize;

use super::args::{Output, StatusArgs};
use super::login::until;
use super::report;

/// The machine-readable form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    api_version: &'static str,
    kind: &'static str,
    sessions: Vec<Session>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    issuer: String,
    tenant: Option<String>,
    client: String,
    account: Option<String>,
    method: String,
    storage: &'static str,
    access_tokens: Vec<AccessToken>,
    refreshable: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken {
    audience: String,
    #[serde(serialize_with = "seconds")]
    expires_at: DateTime<Utc>,
}

pub(super) fn run(args: &StatusArgs, environment: &Environment) -> Result<()> {
    let root = paths::state(args.cache_dir.as_deref(), environment);
    let store = Store::open(root, environment);
    let status = Status { api_version: "kubectl-login/v1", kind: "Status", sessions: sessions(&store) };
    match args.output {
        Output::Json => report::line(&serde_json::to_string(&status).map_err(unprintable)?),
        Output::Yaml => report::print(&serde_saphyr::to_string(&status).map_err(unprintable)?),
        Output::Table => report::print(&table(&status, &store)),
    }
}

fn sessions(store: &Store) -> Vec<Session> {
    let tokens = store.tokens();
    let mut sessions: Vec<Session> = store
        .sessions()
        .into_iter()
        .map(|(id, home, facts)| {
            let mut access_tokens: Vec<AccessToken> = tokens
                .iter()
                .filter(|(_, _, token)| token.session == id)
                .map(|(_, _, token)| AccessToken { audience: token.audience.clone(), expires_at: token.expires_at })
                .collect();
            access_tokens.sort_by(|a, b| a.audience.cmp(&b.audience).then(a.expires_at.cmp(&b.expires_at)));
            Session {
                issuer: facts.issuer,
                tenant: facts.tenant,
                client: facts.client,
                account: facts.account,
                method: facts.method,
                storage: home.name(),
                access_tokens,
                refreshable: facts.refreshable,
            }
        })
        .collect();
    sessions.sort_by(|a, b| (&a.issuer, &a.account, &a.client).cmp(&(&b.issuer, &b.account, &b.client)));
    sessions
}

/// Columns as kubectl prints them: upper-case headers, three blanks between.
fn table(status: &Status, store: &Store) -> String {
    if status.sessions.is_empty() {
        return match (store.root(), store.trouble()) {
            (Some(root), _) => {
                format!("No sign-in is remembered in {}. Sign in with: kubectl login\n", root.display())
            }
            (None, why) => format!("No sign-in is remembered: {}.\n", why.unwrap_or_default()),
        };
    }
    let mut rows =
        vec![["ACCOUNT", "ISSUER OR TENANT", "METHOD", "VALID UNTIL", "REFRESHABLE", "KEPT IN"].map(str::to_owned)];
    for session in &status.sessions {
        let newest = session.access_tokens.iter().map(|token| token.expires_at).max();
        rows.push(
            [
                session.account.clone().unwrap_or_else(|| "?".to_owned()),
                session.tenant.clone().unwrap_or_else(|| session.issuer.clone()),
                session.method.clone(),
                newest.map_or_else(|| "no token".to_owned(), until),
                if session.refreshable { "yes" } else { "no" }.to_owned(),
                session.storage.to_owned(),
            ]
            .map(|cell| printable(&cell, 200)),
        );
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            format!("{}\n", cells.collect::<Vec<_>>().join("   ").trim_end())
        })
        .collect()
}

fn seconds<S: serde::Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn unprintable(error: impl std::fmt::Display) -> Error {
    Error::failed(format!("the status cannot be printed: {error}"), "Use -o table.")
}
