//! `status`: the stored sessions, from the readable parts of the records, and which contexts use them. It uses no network and
//! unlocks nothing.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use kubectl_login::environment::Environment;
use kubectl_login::messages;
use kubectl_login::messages::Result;
use kubectl_login::messages::token::in_units;
use kubectl_login::store::{KeyBackend, Store};
use kubectl_login_core::clock;
use kubectl_login_core::text::printable;
use serde::Serialize;

use super::args::{OutputFormat, StatusArgs};
use super::entry::{self, PluginContext};
use super::entry_reader::EntryReader;
use super::report;
use crate::ui::wrap::{self, wrapped};

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
    cache_dir: String,
    access_tokens: Vec<AccessToken>,
    refreshable: bool,
    contexts: Vec<String>,
    /// The current context, if it is one of them.
    #[serde(skip)]
    current_context: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken {
    audience: String,
    #[serde(serialize_with = "report::seconds")]
    expires_at: DateTime<Utc>,
}

pub(super) fn run(args: &StatusArgs, environment: &Environment) -> Result<()> {
    let contexts = entry::contexts(args.kubeconfig.as_deref(), environment, &EntryReader::default());
    let folders = entry::folders(args.cache_dir.as_deref(), &contexts, environment);
    let mut sessions = Vec::new();
    let mut read = Vec::new();
    for folder in &folders {
        let store = Store::open(Some(folder.clone()), environment);
        match store.problem().cloned().or_else(|| store.check_readable().err()) {
            Some(problem) => {
                let problem = messages::store::problem(&problem);
                report::warning(&printable(&problem, 300), Some(&messages::store::repair_step(folder)));
            }
            None => {
                sessions.extend(sessions_in(&store, folder, &contexts));
                read.push(printable(&folder.to_string_lossy(), 200));
            }
        }
    }
    sessions.sort_by(|a, b| (&a.issuer, &a.account, &a.client).cmp(&(&b.issuer, &b.account, &b.client)));
    let status = Status { api_version: "kubectl-login/v1", kind: "Status", sessions };
    match args.output {
        OutputFormat::Json => report::json(&status),
        OutputFormat::Yaml => report::yaml(&status),
        OutputFormat::Table if !status.sessions.is_empty() => report::print(&for_people(&status.sessions)),
        OutputFormat::Table if folders.is_empty() => {
            report::sentence("There are no sessions: there is no folder to store them in.")
        }
        // What is wrong with the folders has been reported.
        OutputFormat::Table if read.is_empty() => Ok(()),
        OutputFormat::Table => {
            report::sentence(&format!("There are no sessions in {}. Sign in: kubectl login", read.join(" or ")))
        }
    }
}

fn sessions_in(store: &Store, folder: &Path, contexts: &[PluginContext]) -> Vec<Session> {
    let tokens = store.tokens();
    let session = |(id, backend, facts): (String, KeyBackend, kubectl_login::store::SessionFacts)| {
        let mut access_tokens: Vec<AccessToken> = tokens
            .iter()
            .filter(|(_, _, token)| token.session == id)
            .map(|(_, _, token)| AccessToken { audience: token.audience.clone(), expires_at: token.expires_at })
            .collect();
        access_tokens.sort_by(|a, b| a.audience.cmp(&b.audience).then(a.expires_at.cmp(&b.expires_at)));
        let (base, anchors) = (facts.base(&id), &facts.anchors);
        let uses = |context: &&PluginContext| {
            context.uses(base, anchors, folder) || context.looks_up_with(base, anchors, folder)
        };
        let refreshable = facts.is_renewable();
        let its_own: Vec<&PluginContext> = contexts.iter().filter(uses).collect();
        Session {
            issuer: facts.issuer,
            tenant: facts.tenant,
            client: facts.client,
            account: facts.account,
            method: facts.method,
            storage: backend.name(),
            cache_dir: folder.to_string_lossy().into_owned(),
            access_tokens,
            refreshable,
            current_context: its_own.iter().find(|context| context.is_current).map(|context| context.name.clone()),
            contexts: its_own.into_iter().map(|context| context.name.clone()).collect(),
        }
    };
    store.sessions().into_iter().map(session).collect()
}

impl Session {
    fn account(&self) -> String {
        self.account.as_deref().map_or_else(|| "?".to_owned(), |account| printable(account, 200))
    }

    /// The kind of issuer, and its name: a tenant for Entra.
    fn issuer_or_tenant(&self) -> (&'static str, String) {
        match &self.tenant {
            Some(tenant) => ("tenant", printable(tenant, 200)),
            None => ("issuer", printable(without_scheme(&self.issuer), 200)),
        }
    }

    /// How long the longest-lived token is valid, and whether a new one can be obtained without the user.
    fn valid_for(&self, now: DateTime<Utc>) -> String {
        let left = self.access_tokens.iter().map(|token| token.expires_at - now).max();
        match (left.filter(|left| *left > TimeDelta::zero()), self.refreshable) {
            (Some(left), true) => format!("{}, renewable", in_units(left)),
            (Some(left), false) => in_units(left),
            (None, true) => "expired, renewable".to_owned(),
            (None, false) => "expired".to_owned(),
        }
    }

    fn kept_in(&self) -> &'static str {
        if self.storage == KeyBackend::File.name() { "key file" } else { self.storage }
    }

    fn contexts(&self) -> Vec<String> {
        let shown = |name: &String| {
            let mark = if self.current_context.as_ref() == Some(name) { "*" } else { "" };
            format!("{mark}{}", printable(name, 100))
        };
        match self.contexts.is_empty() {
            true => vec!["-".to_owned()],
            false => self.contexts.iter().map(shown).collect(),
        }
    }
}

/// An issuer as people write it.
pub(super) fn without_scheme(issuer: &str) -> &str {
    issuer.strip_prefix("https://").unwrap_or(issuer)
}

/// The table, or a list if the terminal is too narrow for the table.
fn for_people(sessions: &[Session]) -> String {
    let table = table(sessions);
    let widest = table.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    match wrap::columns(&std::io::stdout()) {
        Some(width) if widest > width => list(sessions, width),
        _ => table,
    }
}

/// Columns like those of kubectl: upper-case headers, three blanks in between.
fn table(sessions: &[Session]) -> String {
    let now = clock::now();
    let mut rows =
        vec![["ACCOUNT", "ISSUER OR TENANT", "METHOD", "VALID FOR", "KEPT IN", "CONTEXTS"].map(str::to_owned)];
    rows.extend(sessions.iter().map(|session| {
        let method = printable(&session.method, 40);
        let (_, issuer) = session.issuer_or_tenant();
        let contexts = session.contexts().join(", ");
        [session.account(), issuer, method, session.valid_for(now), session.kept_in().to_owned(), contexts]
    }));
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

/// A block for each session, separated by empty lines, wrapped at `width`.
fn list(sessions: &[Session], width: usize) -> String {
    let now = clock::now();
    let block = |session: &Session| {
        let (kind, issuer) = session.issuer_or_tenant();
        let facts = [
            (kind, issuer),
            ("method", printable(&session.method, 40)),
            ("valid for", session.valid_for(now)),
            ("kept in", session.kept_in().to_owned()),
            ("contexts", session.contexts().join(", ")),
        ];
        let lines = facts.map(|(label, fact)| wrapped(&format!("  {label:LABEL$}{fact}\n"), LABEL + 2, Some(width)));
        format!("{}\n{}", session.account(), lines.concat())
    };
    sessions.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// The width of the list's labels, including the blanks after them.
const LABEL: usize = 12;
