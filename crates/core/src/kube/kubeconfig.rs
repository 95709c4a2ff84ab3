//! Reading kubeconfig files, merged the way kubectl merges them.
//!
//! Must not know the environment (callers pass the variable and the home folder), what the arguments of a plugin mean,
//! or how to write. Tokens, passwords and keys in the files are kept as [`Secret`](crate::secret::Secret)s, and no error
//! repeats a file's content.
//!
//! Source: <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/> (merging) and
//! client-go's `tools/clientcmd/loader.go`. JSON kubeconfigs work because JSON is YAML.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::IoFailure;
use crate::text::printable;

mod cluster;
mod credentials;
mod exec;
mod file;
#[cfg(test)]
mod tests;

pub use cluster::KubeconfigCluster;
pub use credentials::{CredentialConflict, CredentialKind, Impersonation, SetField, UserCredentials, UserField};
pub use exec::{ExecConfig, ExecMatch};
pub use file::ParseErrorLine;

/// How many known names an error lists.
const NAMES_SHOWN: usize = 10;

/// Several kubeconfig files as one: of every name, the entry of the first file that has it.
#[derive(Debug, Default)]
pub struct Kubeconfig {
    files: Vec<PathBuf>,
    current_context: Option<String>,
    contexts: BTreeMap<String, KubeconfigContext>,
    clusters: BTreeMap<String, KubeconfigCluster>,
    users: BTreeMap<String, KubeconfigUser>,
}

#[derive(Debug)]
struct KubeconfigContext {
    cluster: Option<String>,
    user: Option<String>,
    namespace: Option<String>,
}

#[derive(Debug)]
struct KubeconfigUser {
    file: PathBuf,
    /// Later files that define the same user; their definitions have no effect.
    shadowed: Vec<PathBuf>,
    exec: Option<ExecConfig>,
    credentials: UserCredentials,
}

/// A user entry, found by context or by user name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The context it was found by. `None` if the caller named a user and there is no current context.
    pub context: Option<String>,
    /// The context's cluster, whether or not it is defined.
    pub cluster: Option<String>,
    /// How the cluster's API server is reached; nothing is known of one that is not defined.
    pub api_server: KubeconfigCluster,
    /// The context's namespace, if it names one.
    pub namespace: Option<String>,
    /// The user's name.
    pub user: String,
    /// The user's plugin, if there is one.
    pub exec: Option<ExecConfig>,
    /// The user's other credentials.
    pub credentials: UserCredentials,
    /// The file that defines the user.
    pub file: PathBuf,
    /// Later files that define the same user; their definitions have no effect.
    pub shadowed: Vec<PathBuf>,
}

impl Entry {
    /// The user's plugin.
    ///
    /// # Errors
    /// [`KubeconfigError::NoExec`]
    pub fn plugin(&self) -> Result<&ExecConfig, KubeconfigError> {
        self.exec.as_ref().ok_or_else(|| KubeconfigError::NoExec {
            user: shown(&self.user),
            file: self.file.clone(),
            instead: self.credentials.kind(),
        })
    }
}

/// The lists of named entries in a kubeconfig.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// `clusters`
    Cluster,
    /// `contexts`
    Context,
    /// `users`
    User,
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "cluster",
            Self::Context => "context",
            Self::User => "user",
        })
    }
}

/// Why there is no kubeconfig, or no entry in it. Errors name files, contexts and users, and never repeat other content of
/// a file. Names are shortened and printable.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum KubeconfigError {
    /// A file is not there although it was named explicitly, or cannot be read.
    #[error("cannot read the kubeconfig {}: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        reason: IoFailure,
    },
    /// A file is larger than 16 MiB.
    #[error("the kubeconfig {} is larger than 16 MiB", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// A file is not valid YAML or JSON, or does not have the structure of a kubeconfig.
    #[error("the kubeconfig {} cannot be understood{}", file.display(), at_line(*at))]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The line, if the parser knows it.
        at: ParseErrorLine,
    },
    /// One file defines the same name twice, which kubectl refuses too.
    #[error("the kubeconfig {} defines the {kind} \"{name}\" twice", file.display())]
    Duplicate {
        /// The file.
        file: PathBuf,
        /// The list that has the name twice.
        kind: EntryKind,
        /// The name.
        name: String,
    },
    /// None of the files exists.
    #[error("there is no kubeconfig{}", searched(looked_at))]
    Empty {
        /// Where one was looked for.
        looked_at: Vec<PathBuf>,
    },
    /// No context was asked for and none is current.
    #[error("your kubeconfig has no current context{}", known_names(known))]
    NoCurrentContext {
        /// All context names.
        known: Vec<String>,
    },
    /// The context does not exist.
    #[error("your kubeconfig has no context \"{name}\"{}", known_names(known))]
    NoSuchContext {
        /// The name asked for.
        name: String,
        /// All context names.
        known: Vec<String>,
    },
    /// The context names no user.
    #[error("the context \"{context}\" names no user")]
    NoUserInContext {
        /// The context.
        context: String,
    },
    /// The user does not exist.
    #[error("{}your kubeconfig has no user \"{name}\"{}", named_by(context.as_deref()), known_names(known))]
    NoSuchUser {
        /// The name asked for.
        name: String,
        /// The context that names it; `None` if the caller named the user.
        context: Option<String>,
        /// All user names.
        known: Vec<String>,
    },
    /// The user signs in without an exec plugin.
    #[error("the user \"{user}\" in {} has no exec plugin; it has {}", file.display(), instead.noun())]
    NoExec {
        /// The user.
        user: String,
        /// The file that defines it.
        file: PathBuf,
        /// What it has instead.
        instead: CredentialKind,
    },
}

fn named_by(context: Option<&str>) -> String {
    context.map(|context| format!("the context \"{context}\" leads nowhere: ")).unwrap_or_default()
}

fn at_line(at: ParseErrorLine) -> String {
    match (at.line, at.at_kubectl) {
        (Some(line), Some(other)) => format!(" (line {line}, which kubectl calls line {other})"),
        (Some(line), None) => format!(" (line {line})"),
        (None, _) => String::new(),
    }
}

fn searched(files: &[PathBuf]) -> String {
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    if files.is_empty() { String::new() } else { format!(" at {}", files.join(", ")) }
}

fn known_names(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let shown: Vec<_> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    let more = names.len() - shown.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("; it has {}{rest}", shown.join(", "))
}

fn shown(name: &str) -> String {
    printable(name, 120)
}

impl Kubeconfig {
    /// Reads and merges the files that kubectl would.
    ///
    /// `explicit` (`--kubeconfig`) is read alone and has to exist. Otherwise `kubeconfig_variable` (the value of
    /// `KUBECONFIG`) is a list of paths, of which empty and missing ones are skipped. Otherwise it is
    /// `.kube/config` under `home`.
    ///
    /// # Errors
    /// [`KubeconfigError::Empty`] when no file exists; [`KubeconfigError::Unreadable`], [`KubeconfigError::TooLarge`],
    /// [`KubeconfigError::Malformed`] and [`KubeconfigError::Duplicate`] for the first file that has the problem.
    pub fn load(
        explicit: Option<&Path>,
        kubeconfig_variable: Option<&OsStr>,
        home: Option<&Path>,
    ) -> Result<Self, KubeconfigError> {
        let files = Self::paths(explicit, kubeconfig_variable, home);
        let mut merged = Self::default();
        for path in &files {
            match file::read(path) {
                Ok(bytes) => merged.add(path, &bytes)?,
                Err(KubeconfigError::Unreadable { reason, .. })
                    if explicit.is_none() && reason.kind == io::ErrorKind::NotFound =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            }
            merged.files.push(path.clone());
        }
        if merged.files.is_empty() { Err(KubeconfigError::Empty { looked_at: files }) } else { Ok(merged) }
    }

    /// The files that [`load`](Self::load) reads, whether or not they exist.
    pub fn paths(explicit: Option<&Path>, kubeconfig_variable: Option<&OsStr>, home: Option<&Path>) -> Vec<PathBuf> {
        let variable = kubeconfig_variable.filter(|value| !value.is_empty());
        let mut files: Vec<PathBuf> = match (explicit, variable) {
            (Some(file), _) => vec![file.to_owned()],
            (None, Some(list)) => std::env::split_paths(list).filter(|file| !file.as_os_str().is_empty()).collect(),
            (None, None) => home.map(|home| home.join(".kube").join("config")).into_iter().collect(),
        };
        // Reading a file twice adds nothing, but would list it as shadowing itself.
        let mut known = HashSet::new();
        files.retain(|file| known.insert(file.clone()));
        files
    }

    /// The files it was read from.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// All context names, sorted.
    pub fn context_names(&self) -> impl Iterator<Item = &str> {
        self.contexts.keys().map(String::as_str)
    }

    /// All contexts, sorted: name, user, and the API server's URL as written.
    pub fn contexts(&self) -> impl Iterator<Item = (&str, Option<&str>, Option<&str>)> {
        self.contexts.iter().map(|(name, context)| {
            let server = context.cluster.as_ref().and_then(|cluster| self.clusters.get(cluster)?.server.as_deref());
            (name.as_str(), context.user.as_deref(), server)
        })
    }

    /// Whether a cluster of this name is defined.
    pub fn has_cluster(&self, name: &str) -> bool {
        self.clusters.contains_key(name)
    }

    /// All user names, sorted.
    pub fn user_names(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(String::as_str)
    }

    /// Every user that has an exec plugin, with that plugin, sorted by name.
    pub fn plugins(&self) -> impl Iterator<Item = (&str, &ExecConfig)> {
        self.users.iter().filter_map(|(name, user)| Some((name.as_str(), user.exec.as_ref()?)))
    }

    /// The context to use if the caller names none. It may not exist.
    pub fn current_context(&self) -> Option<&str> {
        self.current_context.as_deref()
    }

    /// The user entry for a context, by default the current one. `user` replaces the context's own user, as
    /// kubectl's `--user` does; then there need not be a context at all.
    ///
    /// # Errors
    /// The `No…` variants of [`KubeconfigError`]. A cluster that is not defined is not an error.
    pub fn entry(&self, context: Option<&str>, user: Option<&str>) -> Result<Entry, KubeconfigError> {
        let names = || self.context_names().map(shown).collect();
        let found = match context.or(self.current_context()).map(|name| (name, self.contexts.get_key_value(name))) {
            Some((_, Some(pair))) => Some(pair),
            // With a named user, the current context is optional, but a named context is not.
            _ if user.is_some() && context.is_none() => None,
            Some((name, None)) => return Err(KubeconfigError::NoSuchContext { name: shown(name), known: names() }),
            None => return Err(KubeconfigError::NoCurrentContext { known: names() }),
        };
        let Some(name) = user.or_else(|| found.and_then(|(_, context)| context.user.as_deref())) else {
            let context = found.map(|(name, _)| shown(name)).unwrap_or_default();
            return Err(KubeconfigError::NoUserInContext { context });
        };
        let Some(entry) = self.users.get(name) else {
            let known = self.users.keys().map(|name| shown(name)).collect();
            let context = found.filter(|_| user.is_none()).map(|(context, _)| shown(context));
            return Err(KubeconfigError::NoSuchUser { name: shown(name), context, known });
        };
        let cluster = found.and_then(|(_, context)| context.cluster.clone());
        Ok(Entry {
            context: found.map(|(name, _)| name.clone()),
            namespace: found.and_then(|(_, context)| context.namespace.clone()),
            api_server: cluster.as_ref().and_then(|name| self.clusters.get(name)).cloned().unwrap_or_default(),
            cluster,
            user: name.to_owned(),
            exec: entry.exec.clone(),
            credentials: entry.credentials.clone(),
            file: entry.file.clone(),
            shadowed: entry.shadowed.clone(),
        })
    }

    /// Adds the entries of a later file.
    fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), KubeconfigError> {
        let malformed = |at| KubeconfigError::Malformed { file: path.to_owned(), at };
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let good = &bytes[..error.valid_up_to()];
            malformed(ParseErrorLine::same(good.iter().filter(|byte| **byte == b'\n').count() as u64 + 1))
        })?;
        let parsed = file::parse(text).map_err(malformed)?;
        let duplicate =
            |kind| move |name: String| KubeconfigError::Duplicate { file: path.to_owned(), kind, name: shown(&name) };
        let clusters = parsed.clusters.unwrap_or_default().into_iter().map(|cluster| cluster.named(path));
        file::merge(&mut self.clusters, clusters).map_err(duplicate(EntryKind::Cluster))?;
        let contexts = parsed.contexts.unwrap_or_default().into_iter().map(file::NamedContext::named);
        file::merge(&mut self.contexts, contexts).map_err(duplicate(EntryKind::Context))?;
        let users: Vec<_> = parsed.users.unwrap_or_default().into_iter().map(|user| user.named(path)).collect();
        for (name, _) in &users {
            if let Some(known) = self.users.get_mut(name) {
                known.shadowed.push(path.to_owned());
            }
        }
        let users = users.into_iter();
        file::merge(&mut self.users, users).map_err(duplicate(EntryKind::User))?;
        if self.current_context.is_none() {
            self.current_context = parsed.current_context.filter(|name| !name.is_empty());
        }
        Ok(())
    }
}
