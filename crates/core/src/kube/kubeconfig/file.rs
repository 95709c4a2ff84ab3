//! One kubeconfig file: its bytes, its YAML, its entries by name.
//!
//! Must not know how files are chosen or what an entry is wanted for.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{self, Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_saphyr::options::DuplicateKeyPolicy;
use zeroize::Zeroizing;

use super::credentials::RawUser;
use super::{ExecConfig, KubeconfigCluster, KubeconfigContext, KubeconfigError, KubeconfigUser};
use crate::named_file;

/// The largest file that is read, in bytes. Those of large fleets reach a few MiB.
const SIZE_LIMIT: u64 = 16 * 1024 * 1024;
/// How long a pipe may stay silent, in seconds.
#[cfg(unix)]
const PIPE_WAIT: i64 = 5;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Parsed {
    pub(super) current_context: Option<String>,
    pub(super) clusters: Option<Vec<NamedCluster>>,
    pub(super) contexts: Option<Vec<NamedContext>>,
    pub(super) users: Option<Vec<NamedUser>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NamedCluster {
    name: Option<String>,
    cluster: Option<RawCluster>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct RawCluster {
    server: Option<String>,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: Option<bool>,
    tls_server_name: Option<String>,
    proxy_url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NamedContext {
    name: Option<String>,
    context: Option<RawContext>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawContext {
    cluster: Option<String>,
    user: Option<String>,
    namespace: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NamedUser {
    name: Option<String>,
    user: Option<RawUser>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RawExec {
    api_version: Option<String>,
    interactive_mode: Option<String>,
    command: Option<String>,
    args: Option<Vec<Option<String>>>,
    env: Option<Vec<RawVariable>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawVariable {
    name: Option<String>,
    value: Option<String>,
}

impl NamedCluster {
    /// Name and content, with a relative certificate authority made absolute.
    pub(super) fn named(self, file: &Path) -> (String, KubeconfigCluster) {
        let cluster = self.cluster.unwrap_or_default();
        let authority = cluster.certificate_authority.filter(|path| !path.as_os_str().is_empty());
        let cluster = KubeconfigCluster {
            server: some(cluster.server),
            certificate_authority: authority.map(|path| beside(file, &path)),
            certificate_authority_data: some(cluster.certificate_authority_data),
            insecure_skip_tls_verify: cluster.insecure_skip_tls_verify.unwrap_or(false),
            tls_server_name: some(cluster.tls_server_name),
            proxy_url: some(cluster.proxy_url),
        };
        (self.name.unwrap_or_default(), cluster)
    }
}

impl NamedContext {
    /// Name and content.
    pub(super) fn named(self) -> (String, KubeconfigContext) {
        let RawContext { cluster, user, namespace } = self.context.unwrap_or_default();
        let context = KubeconfigContext { cluster: some(cluster), user: some(user), namespace: some(namespace) };
        (self.name.unwrap_or_default(), context)
    }
}

impl NamedUser {
    /// Name and content, with a relative command made absolute.
    pub(super) fn named(self, file: &Path) -> (String, KubeconfigUser) {
        let RawUser { exec, credentials } = self.user.unwrap_or_default();
        let exec = exec.map(|exec| ExecConfig {
            api_version: some(exec.api_version),
            interactive_mode: some(exec.interactive_mode),
            command: resolve(exec.command.unwrap_or_default(), file),
            args: exec.args.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect(),
            env: exec.env.unwrap_or_default().into_iter().map(RawVariable::pair).collect(),
        });
        let credentials = credentials.beside(file);
        (
            self.name.unwrap_or_default(),
            KubeconfigUser { file: file.to_owned(), shadowed: Vec::new(), exec, credentials },
        )
    }
}

impl RawVariable {
    fn pair(self) -> (String, String) {
        (self.name.unwrap_or_default(), self.value.unwrap_or_default())
    }
}

/// An empty text stands for none, as for kubectl.
fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A command with a path separator is relative to the folder of its file; a bare name is left to `PATH`.
fn resolve(command: String, file: &Path) -> String {
    if !command.contains(path::is_separator) || Path::new(&command).is_absolute() {
        return command;
    }
    beside(file, Path::new(&command)).to_string_lossy().into_owned()
}

/// `path` from the folder of `file`, absolute.
pub(super) fn beside(file: &Path, path: &Path) -> PathBuf {
    let joined = file.parent().unwrap_or(Path::new("")).join(path);
    path::absolute(&joined).unwrap_or(joined)
}

/// The bytes of a file, wiped when dropped. Pipes are fine (`--kubeconfig <(…)`), as long as something comes out of them.
pub(super) fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, KubeconfigError> {
    let unreadable = |error: io::Error| KubeconfigError::Unreadable { file: file.to_owned(), reason: error.into() };
    let opened = named_file::open_named(file).map_err(unreadable)?;
    let metadata = opened.metadata().map_err(unreadable)?;
    // Room for all of it at once, as far as the system tells: a growing buffer leaves copies of secrets behind.
    let expected = metadata.len().min(SIZE_LIMIT) + 2;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or(0)));
    if !metadata.is_file() {
        wait_until_readable(&opened).map_err(unreadable)?;
    }
    let mut rest = (&opened).take(SIZE_LIMIT + 1);
    while let Err(error) = rest.read_to_end(&mut bytes) {
        match error.kind() {
            io::ErrorKind::WouldBlock => wait_until_readable(&opened).map_err(unreadable)?,
            _ => return Err(unreadable(error)),
        }
    }
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(KubeconfigError::TooLarge { file: file.to_owned() });
    }
    Ok(bytes)
}

/// Waits until the writer of a pipe has written something or left.
#[cfg(unix)]
fn wait_until_readable(pipe: &File) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let limit = Timespec { tv_sec: PIPE_WAIT, tv_nsec: 0 };
    match poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&limit))? {
        0 => Err(io::Error::new(io::ErrorKind::TimedOut, format!("nothing came out of it for {PIPE_WAIT} seconds"))),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn wait_until_readable(_: &File) -> io::Result<()> {
    Ok(())
}

/// The first document of a file. An empty one has no entries, and of a repeated key the last counts, as for kubectl.
///
/// # Errors
/// The line that cannot be understood, if it is known.
pub(super) fn parse(text: &str) -> Result<Parsed, ParseErrorLine> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        // Snippets would quote the file.
        with_snippet: false,
    };
    let text = text.trim_start_matches('\u{feff}');
    let mut bytes = text.as_bytes();
    // Reading document by document, because kubectl stops after the first.
    match serde_saphyr::read_with_options(&mut bytes, options).next() {
        None => Ok(Parsed::default()),
        Some(Ok(parsed)) => Ok(parsed),
        Some(Err(error)) => {
            let line = error.location().map(|location| location.line()).filter(|line| *line > 0);
            Err(line.map_or_else(ParseErrorLine::default, |line| bad_line(&error.to_string(), line, text)))
        }
    }
}

/// A line that cannot be understood, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParseErrorLine {
    /// Where the fault is, if the parser knows it.
    pub line: Option<u64>,
    /// The line that kubectl's message names for it, if that is another.
    pub at_kubectl: Option<u64>,
}

impl ParseErrorLine {
    /// A line that kubectl counts in the same way.
    pub(super) fn same(line: u64) -> Self {
        ParseErrorLine { line: Some(line), at_kubectl: None }
    }
}

/// The fault that the parser finds in `line` of `text`, with this message. kubectl's parser counts from 0 while its scanner
/// counts from 1 (`parser.fail` in goyaml.v2), and both notice some faults later.
fn bad_line(message: &str, line: u64, text: &str) -> ParseErrorLine {
    const BY_ITS_PARSER: [&str; 5] = [
        "did not find expected",
        "only valid inside a block",
        "misplaced bracket",
        "mismatched bracket",
        "illegal placement of ':'",
    ];
    const TABS: [&str; 2] = ["found a tab", "cannot start with a tab"];
    let is_one_of = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let lines = || u64::try_from(text.lines().count()).unwrap_or(u64::MAX);
    let at_kubectl = if is_one_of(&TABS) {
        // The parser names the line before the tab.
        return ParseErrorLine::same(line + 1);
    } else if is_one_of(&BY_ITS_PARSER) {
        line - 1
    } else if message.contains("simple key expected ':'") {
        line + 1
    } else if message.contains("unclosed bracket") {
        lines()
    } else if message.contains("multiline quoted scalar") {
        lines() + 1
    } else {
        line
    };
    ParseErrorLine { line: Some(line), at_kubectl: Some(at_kubectl).filter(|other| *other > 0 && *other != line) }
}

/// Adds the named entries of a file to those of the files before it, which win. Entries without a name are unreachable
/// and left out.
///
/// # Errors
/// The name that comes twice in this file.
pub(super) fn merge<T>(into: &mut BTreeMap<String, T>, from: impl Iterator<Item = (String, T)>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for (name, entry) in from.filter(|(name, _)| !name.is_empty()) {
        if !seen.insert(name.clone()) {
            return Err(name);
        }
        into.entry(name).or_insert(entry);
    }
    Ok(())
}
