//! What commands read kubeconfig entries with. What several entries need is done once per command, however many there are.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::OsString;
use std::rc::Rc;

use clap::FromArgMatches as _;
use kubectl_login_core::http;
use kubectl_login_core::http::network::{EnvironmentRoots, Network};
use kubectl_login_core::kube::kubeconfig::ExecConfig;

use super::args::{GetTokenArgs, parse_warm};
use super::network::CaFiles;
use super::{GET_TOKEN, command_line, grammar};

/// Reads exec entries for one command. The grammar is built once, when it is first needed.
#[derive(Default)]
pub(super) struct EntryReader {
    grammar: OnceCell<RefCell<clap::Command>>,
    ca_files: CaFiles,
    trusted_anchors: Rc<TrustedAnchors>,
}

/// Which certificate authorities are trusted in which environment. Each environment's are read once for each set in question.
#[derive(Default)]
pub(super) struct TrustedAnchors(RefCell<HashMap<(EnvironmentRoots, Vec<String>), bool>>);

impl TrustedAnchors {
    /// Whether connections of `network` trust all `anchors`.
    pub(super) fn contain(&self, network: &Network, anchors: &[String]) -> bool {
        let question = (network.environment_roots.clone(), anchors.to_vec());
        *self.0.borrow_mut().entry(question).or_insert_with(|| http::trusts_anchors(network, anchors))
    }
}

impl EntryReader {
    /// The certificate authority files that have been read.
    pub(super) fn ca_files(&self) -> &CaFiles {
        &self.ca_files
    }

    /// Which certificate authorities are trusted.
    pub(super) fn trusted_anchors(&self) -> Rc<TrustedAnchors> {
        Rc::clone(&self.trusted_anchors)
    }

    /// What the arguments of `get-token` say, parsed like a command line. `words` begin with the command.
    ///
    /// Errors: they do not follow the grammar, or are those of another command.
    pub(super) fn parse(&self, words: &[String]) -> Result<GetTokenArgs, clap::Error> {
        if let Some((command, flags)) = words.split_first()
            && command == GET_TOKEN
            && let Some(line) = parse_warm(flags)
        {
            return Ok(line.args);
        }
        let mut grammar = self.grammar().borrow_mut();
        let matches = grammar.try_get_matches_from_mut(with_program_name(words))?;
        match matches.subcommand_matches(GET_TOKEN) {
            Some(given) => GetTokenArgs::from_arg_matches(given),
            None => Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand)),
        }
    }

    /// The arguments of an exec entry, `get-token` first, if it starts that command of this program or of one that this
    /// program replaces.
    pub(super) fn plugin_arguments(&self, exec: &ExecConfig) -> Option<Vec<String>> {
        let given = exec.own_arguments()?;
        if given.first().is_some_and(|word| word == GET_TOKEN) {
            return Some(given.to_vec());
        }
        let words = command_line::command_first(with_program_name(given), &self.grammar().borrow());
        let words: Vec<String> = words.into_iter().skip(1).filter_map(|word| word.into_string().ok()).collect();
        words.first().is_some_and(|word| word == GET_TOKEN).then_some(words)
    }

    fn grammar(&self) -> &RefCell<clap::Command> {
        self.grammar.get_or_init(|| RefCell::new(grammar(&[])))
    }
}

/// `arguments` after the program's name.
fn with_program_name(arguments: &[String]) -> Vec<OsString> {
    std::iter::once("kubectl-login").chain(arguments.iter().map(String::as_str)).map(OsString::from).collect()
}
