//! Kubeconfig entries: from what a command names to the settings of an exec entry that is ours.

use kubectl_login::environment::{self, Environment};
use kubectl_login::error::{Error, Result};
use kubectl_login::kube::kubeconfig::{Entry, Kubeconfig};
use kubectl_login::paths;
use kubectl_login::text::printable;

use super::args::EntryArgs;
use super::profile::{self, Settings};

/// The settings of the kubeconfig entry that is meant, and the environment it runs in.
pub(super) fn settings_of(args: &EntryArgs, environment: &Environment) -> Result<(Entry, Settings, Environment)> {
    let explain =
        |error: kubectl_login::kube::kubeconfig::KubeconfigError| Error::failed(error.to_string(), error.next());
    let kubeconfig = Kubeconfig::load(
        args.kubeconfig.as_deref(),
        environment.get_os(environment::KUBECONFIG).map(std::ffi::OsString::as_os_str),
        paths::home(environment).as_deref(),
    )
    .map_err(explain)?;
    let entry = kubeconfig.entry(args.context(), args.user.as_deref()).map_err(explain)?;
    let Some(words) = entry.exec.plugin_arguments() else {
        return Err(Error::failed(
            format!(
                "the kubeconfig user {:?} runs {:?}, which is not this plugin",
                printable(&entry.user, 100),
                printable(&entry.exec.command, 100)
            ),
            "Choose another context with --context, or set the user's exec.command to kubectl-login with the arguments of get-token.",
        ));
    };
    let (args, typed) = super::parse_get_token(words).map_err(|error| {
        // The command line of an entry may hold a secret, so clap's whole text is not repeated.
        let kind = error.kind().as_str().unwrap_or("it cannot be read");
        Error::usage(
            format!("the arguments of the kubeconfig user {:?} make no sense: {kind}", printable(&entry.user, 100)),
            format!("Check exec.args of that user in {}.", printable(&entry.file.to_string_lossy(), 200)),
        )
    })?;
    let environment = environment.clone().with(entry.exec.env.iter().cloned());
    let settings = profile::settings(&args, &typed, &environment)?;
    Ok((entry, settings, environment))
}
