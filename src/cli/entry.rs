//! Kubeconfig entries: from the context that a command names to the settings of its exec entry, and from all contexts to the
//! sessions that they use.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kubectl_login::environment::{self, Environment};
use kubectl_login::messages::kube::{self as messages, Suggestions};
use kubectl_login::messages::kubeconfig_user::{self, OtherCommand};
use kubectl_login::messages::settings::SettingsError;
use kubectl_login::messages::{ErrorMessage, Result};
use kubectl_login::paths;
use kubectl_login::profile::Profile;
use kubectl_login::session::identity::Identity;
use kubectl_login_core::kube::exec_credential::ApiVersion;
use kubectl_login_core::kube::kubeconfig::{Entry, ExecConfig, ExecMatch, Kubeconfig, KubeconfigError};
use kubectl_login_core::text::printable;

use super::args::{EntryArgs, MethodArgs};
use super::command_line;
use super::entry_reader::{EntryReader, TrustedAnchors};
use super::given_flags::GivenFlags;
use super::profile::{self, Settings};
use super::programs;
use super::selection::{Selection, words_for};

/// The kubeconfig entry that is meant, its settings (with another method, if one is wanted), and the environment that it
/// runs in.
pub(super) fn settings_of(
    args: &EntryArgs,
    method: &MethodArgs,
    environment: &Environment,
    reader: &EntryReader,
) -> Result<(Entry, Settings, Environment)> {
    let entry = entry_of(args, environment)?;
    let (settings, environment) = settings_in(&entry, method, environment, reader)?;
    let settings = settings.selected_by(Selection::from_args(args, &entry));
    Ok((entry, settings, environment))
}

/// The kubeconfig entry that is meant.
pub(super) fn entry_of(args: &EntryArgs, environment: &Environment) -> Result<Entry> {
    let kubeconfig = load(args.kubeconfig.as_deref(), environment).map_err(|error| explain(&error, args))?;
    kubeconfig.entry(args.context(), args.user.as_deref()).map_err(|error| explain(&error, args))
}

/// Why there is no entry for what was named, and what may have been meant.
pub(super) fn explain(error: &KubeconfigError, args: &EntryArgs) -> ErrorMessage {
    let similar =
        |known: &[String], name: &str| command_line::similar(name, known.iter().map(String::as_str)).map(str::to_owned);
    let typed = args.command_or_context();
    // A word that is not a command is read as a context.
    let with_commands =
        || Suggestions { command: typed.and_then(similar_command), may_be_command: typed.is_some(), name: None };
    let suggestions = match error {
        KubeconfigError::NoSuchUser { name, known, .. } => {
            Suggestions { name: similar(known, name), ..Suggestions::default() }
        }
        KubeconfigError::NoSuchContext { name, known } => {
            let suggestions = with_commands();
            let context = similar(known, name).filter(|_| suggestions.command.is_none());
            Suggestions { name: context, ..suggestions }
        }
        KubeconfigError::Empty { .. } => with_commands(),
        _ => Suggestions::default(),
    };
    messages::kubeconfig_error_with(error, &suggestions)
}

/// The command whose name is like `word`.
fn similar_command(word: &str) -> Option<String> {
    let grammar = super::grammar(&[]);
    let listed = grammar.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name);
    command_line::similar(word, listed).map(str::to_owned)
}

/// The settings of an entry (with another method, if one is wanted), and the environment that it runs in.
///
/// Errors: the entry is not for this plugin, or cannot be understood.
pub(super) fn settings_in(
    entry: &Entry,
    method: &MethodArgs,
    environment: &Environment,
    reader: &EntryReader,
) -> Result<(Settings, Environment)> {
    let exec = entry.plugin().map_err(|error| kubeconfig_user::no_plugin(entry, &error, &doctor_command(entry)))?;
    let Some(words) = reader.plugin_arguments(exec) else { return Err(with_other_plugin(entry, exec)) };
    // The command line of an entry may hold a secret, so clap's whole text is not repeated.
    let unreadable = |error: clap::Error| kubeconfig_user::unreadable_arguments(entry, error.kind().as_str());
    let mut args = reader.parse(&words).map_err(unreadable)?;
    let mut environment = environment.clone().with_entry(exec.env.iter().cloned());
    if let Some(flag) = flag_for(method, &args.given)? {
        // The last flag wins, but the variable would win over it.
        args = reader.parse(&[words, vec![flag]].concat()).map_err(unreadable)?;
        environment = environment.with([(environment::AAD_LOGIN_METHOD.to_owned(), String::new())]);
    }
    let settings = profile::settings(&args, &environment, Some(entry), reader.ca_files())?;
    Ok((settings, environment))
}

/// The error for a user whose exec plugin is another one.
fn with_other_plugin(entry: &Entry, exec: &ExecConfig) -> ErrorMessage {
    let command = match programs::located(&exec.command) {
        Some(path) if programs::is_wrapper(&path) => OtherCommand::Wrapper,
        Some(path) if programs::is_this_program(&path) => OtherCommand::ThisProgram,
        Some(_) => OtherCommand::Program,
        None => OtherCommand::Missing,
    };
    kubeconfig_user::other_plugin(entry, exec, command, &doctor_command(entry))
}

/// The flag of `get-token` for another method, if one is wanted; `given` is what the entry has.
///
/// Errors: it is the other issuers' flag.
fn flag_for(method: &MethodArgs, given: &GivenFlags) -> Result<Option<String>, SettingsError> {
    match (&method.login, &method.grant_type) {
        (Some(_), _) if given.oidc().is_some() => Err(SettingsError::LoginForOidc),
        (_, Some(_)) if given.entra().is_some() => Err(SettingsError::GrantTypeForEntra),
        (Some(method), _) => Ok(Some(format!("--login={method}"))),
        (None, grant) => Ok(grant.as_ref().map(|grant| format!("--grant-type={grant}"))),
    }
}

/// The command that signs in for an entry.
pub(super) fn sign_in_command(entry: &Entry) -> String {
    format!("kubectl login {}", words_for(entry.context.as_deref(), &entry.user, false))
}

/// The command that checks everything about an entry.
pub(super) fn doctor_command(entry: &Entry) -> String {
    format!("kubectl login doctor {}", words_for(entry.context.as_deref(), &entry.user, false))
}

/// The kubeconfig: `file` alone, or what the environment names.
pub(super) fn load(file: Option<&Path>, environment: &Environment) -> Result<Kubeconfig, KubeconfigError> {
    Kubeconfig::load(
        file,
        environment.get_os(environment::KUBECONFIG).map(OsString::as_os_str),
        paths::home(environment).as_deref(),
    )
}

/// The kubeconfig users that could have started this process, those with the most in common.
pub(super) struct CallingUsers {
    pub(super) kubeconfig: Kubeconfig,
    /// At least one.
    users: Vec<String>,
}

impl CallingUsers {
    /// One of the users.
    pub(super) fn user(&self) -> &str {
        self.users.first().map(String::as_str).unwrap_or_default()
    }

    /// A context of one of these users, the current one if possible. They have the same arguments, so any will do.
    pub(super) fn context(&self) -> Option<&str> {
        let is_own = |context: &&str| {
            let user = self.kubeconfig.entry(Some(context), None).map(|entry| entry.user);
            user.is_ok_and(|user| self.users.contains(&user))
        };
        self.kubeconfig.current_context().into_iter().chain(self.kubeconfig.context_names()).find(is_own)
    }
}

/// The kubeconfig users whose entry may have started this process; `None` if there is none, or the kubeconfig cannot be read.
pub(super) fn calling_users(environment: &Environment) -> Option<CallingUsers> {
    let variable = environment.get_os(environment::KUBECONFIG).map(OsString::as_os_str);
    let home = paths::home(environment);
    // Reading a pipe could block, or consume what the client has yet to read.
    let is_special = |file: &PathBuf| std::fs::metadata(file).is_ok_and(|metadata| !metadata.is_file());
    if Kubeconfig::paths(None, variable, home.as_deref()).iter().any(is_special) {
        return None;
    }
    let kubeconfig = Kubeconfig::load(None, variable, home.as_deref()).ok()?;
    let words: Vec<OsString> = std::env::args_os().collect();
    let fits: Vec<(ExecMatch, String)> =
        kubeconfig.plugins().filter_map(|(user, exec)| Some((exec.match_process(&words)?, user.to_owned()))).collect();
    let closest = fits.iter().map(|(likeness, _)| *likeness).max()?;
    let users = fits.into_iter().filter(|(likeness, _)| *likeness == closest).map(|(_, user)| user).collect();
    Some(CallingUsers { kubeconfig, users })
}

/// The version that is declared by the entry that started this process, for clients that send no exec info but compare
/// versions; the default if the entry cannot be identified. Several entries that match equally well must agree.
pub(super) fn own_api_version(environment: &Environment) -> ApiVersion {
    let Some(CallingUsers { kubeconfig, users }) = calling_users(environment) else { return ApiVersion::default() };
    let own = kubeconfig.plugins().filter(|(user, _)| users.iter().any(|own| own == user));
    let mut versions = own.filter_map(|(_, exec)| exec.api_version.as_deref());
    let version = versions.next().filter(|first| versions.all(|other| other == *first));
    version.and_then(ApiVersion::from_name).unwrap_or_default()
}

/// A kubeconfig context whose user signs in with this plugin.
pub(super) struct PluginContext {
    pub(super) name: String,
    /// It is the current one.
    pub(super) is_current: bool,
    pub(super) profile: Profile,
    /// Where its session is stored; `None` if it is not.
    folder: Option<PathBuf>,
    /// The name of its session without anchors (see `session::sessions`).
    session: String,
    session_for_groups: Option<String>,
    trusted: Rc<TrustedAnchors>,
}

impl PluginContext {
    /// Whether the session called `base` without its `anchors` is this context's, in whatever folder it is stored.
    pub(super) fn names(&self, base: &str, anchors: &[String]) -> bool {
        self.session == base && self.trusts(anchors)
    }

    /// The same for a session in `folder`.
    pub(super) fn uses(&self, base: &str, anchors: &[String], folder: &Path) -> bool {
        self.session == base && self.is_kept_in(folder) && self.trusts(anchors)
    }

    /// Whether such a session in `folder` is used to look up the groups of this context.
    pub(super) fn looks_up_with(&self, base: &str, anchors: &[String], folder: &Path) -> bool {
        self.session_for_groups.as_deref() == Some(base) && self.is_kept_in(folder) && self.trusts(anchors)
    }

    fn trusts(&self, anchors: &[String]) -> bool {
        anchors.is_empty() || self.trusted.contain(&self.profile.network, anchors)
    }

    fn is_kept_in(&self, folder: &Path) -> bool {
        self.folder.as_deref().is_some_and(|own| is_same_folder(own, folder))
    }
}

/// Whether the kubeconfig has a context of this name.
pub(super) fn has_context(name: &str, file: Option<&Path>, environment: &Environment) -> bool {
    load(file, environment).is_ok_and(|kubeconfig| kubeconfig.context_names().any(|known| known == name))
}

/// The contexts besides `but` that use the session called `base` without its `anchors` in `folder`, printable.
pub(super) fn others(
    contexts: &[PluginContext],
    but: Option<&str>,
    base: &str,
    anchors: &[String],
    folder: Option<&Path>,
) -> Vec<String> {
    let others = contexts.iter().filter(|context| Some(context.name.as_str()) != but);
    let served = others.filter(|context| folder.is_some_and(|folder| context.uses(base, anchors, folder)));
    served.map(|context| printable(&context.name, 100)).collect()
}

/// Every context of the kubeconfig that uses this plugin, by name. Entries that cannot be understood are skipped: the user did
/// not ask for them. If the kubeconfig cannot be read, there are none.
pub(super) fn contexts(
    kubeconfig: Option<&Path>,
    environment: &Environment,
    reader: &EntryReader,
) -> Vec<PluginContext> {
    let Ok(kubeconfig) = load(kubeconfig, environment) else { return Vec::new() };
    let context = |name: &str| {
        let entry = kubeconfig.entry(Some(name), None).ok()?;
        let exec = entry.exec?;
        let args = reader.parse(&reader.plugin_arguments(&exec)?).ok()?;
        let environment = environment.clone().with_entry(exec.env);
        let settings = profile::settings(&args, &environment, None, reader.ca_files()).ok()?;
        let identity = Identity::new(&settings.profile);
        Some(PluginContext {
            name: name.to_owned(),
            is_current: kubeconfig.current_context() == Some(name),
            folder: settings.folder(&environment),
            session_for_groups: identity.session_for_groups(&settings.profile),
            session: identity.session,
            profile: settings.profile,
            trusted: reader.trusted_anchors(),
        })
    };
    kubeconfig.context_names().filter_map(context).collect()
}

/// The profile of an OpenID Connect client of which only this is known.
pub(super) fn bare_profile(
    issuer: &str,
    client: &str,
    environment: &Environment,
    reader: &EntryReader,
) -> Option<Profile> {
    let words = ["get-token".to_owned(), format!("--oidc-issuer-url={issuer}"), format!("--oidc-client-id={client}")];
    let args = reader.parse(&words).ok()?;
    Some(profile::settings(&args, environment, None, reader.ca_files()).ok()?.profile)
}

/// The folders in which sessions may be stored: only `cache_dir` if it is given, else the default one and those that the
/// contexts name, each once.
pub(super) fn folders(cache_dir: Option<&str>, contexts: &[PluginContext], environment: &Environment) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = paths::state(cache_dir, environment).into_iter().collect();
    if cache_dir.is_none() {
        for folder in contexts.iter().filter_map(|context| context.folder.as_ref()) {
            if !folders.contains(folder) && !folders.iter().any(|known| is_same_folder(known, folder)) {
                folders.push(folder.clone());
            }
        }
    }
    folders
}

/// Whether two paths lead to the same folder. If one does not exist, only the names are compared.
fn is_same_folder(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
