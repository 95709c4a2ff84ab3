//! `get-token`: prints one ExecCredential.

use std::process::ExitCode;

use kubectl_login::environment::{self, Environment};
use kubectl_login::issued_token::TokenOrigin;
use kubectl_login::messages::{self, ErrorMessage, Result};
use kubectl_login::session::identity::Identity;
use kubectl_login::session::repeats::Repeats;
use kubectl_login::session::{ObtainError, RequestOptions, TokenRequest, caller};
use kubectl_login_core::kube::exec_credential::{ExecInfo, credential_line};

use super::args::GetTokenArgs;
use super::network::CaFiles;
use super::reserved_stdout::ReservedStdout;
use super::selection::Selection;
use super::{ExitStatus, entry, profile, report};
use crate::ui::{SignInTarget, Terminal};

pub(super) fn run(args: &GetTokenArgs, environment: &Environment, repeats: Repeats<'_>) -> Result<ExitStatus> {
    let answer = ReservedStdout::take()?;
    // Before any sign-in, which would be useless if the client wants an unsupported version.
    let info = environment.get_os(environment::KUBERNETES_EXEC_INFO).map(|text| text.to_string_lossy());
    let info = ExecInfo::parse(info.as_deref()).map_err(|error| messages::kube::exec_info_error(&error))?;
    let settings = profile::settings(args, environment, None, &CaFiles::default())?;
    let store = settings.store(environment);
    // Computed only to be shown: a warm call reads no kubeconfig.
    let words = || Selection::from_process(environment).needed_words();
    let terminal =
        Terminal::new(settings.prompt, &settings.profile, info.server.map(SignInTarget::Server), environment)
            .found_by(&words);
    let options = RequestOptions { force_refresh: settings.force_refresh, ..RequestOptions::default() };
    let identity = Identity::new(&settings.profile);
    let request =
        TokenRequest::new(&settings.profile, &identity, &store, environment, &terminal, options).repeated_by(repeats);
    let issued = match request.obtain() {
        Ok(issued) => issued,
        Err(ObtainError { failure, is_repeated }) => {
            let sources = settings.sources.clone().selected_by(Selection::from_process(environment));
            let error = sources.attributed(messages::failure::explain(&failure, &settings.profile));
            return if is_repeated { Ok(ExitStatus::Failure(error.kind)) } else { Err(error) };
        }
    };
    let api_version = info.api_version.unwrap_or_else(|| entry::own_api_version(environment));
    let line = credential_line(api_version, issued.token.expose(), Some(issued.expires_at))
        .map_err(|_| messages::kube::invalid_token())?;
    answer.write(&line)?;
    if issued.origin == TokenOrigin::SignIn && settings.profile.prompts() {
        let (beginning, rest) = messages::token::signed_in(&issued, issued.facts.as_ref());
        terminal.confirm(&beginning, &rest);
    }
    Ok(ExitStatus::Success)
}

/// Prints a failure, once per caller within half a minute, and returns the exit code.
pub(super) fn failure(error: &ErrorMessage, repeats: Repeats<'_>) -> ExitCode {
    match if error.kind.is_stopped() { None } else { repeats.tell(&error.what) } {
        // A Kubernetes client repeats the plugin by itself, and the text is already above.
        Some(_) if repeats.is_client() && caller::shares_stderr() => ExitCode::from(error.kind.exit_code()),
        // A user who typed the command, or a client that shows the errors of only one run, would not see a reason.
        Some(repeat) if repeat.is_later => report::repeated(error, repeat),
        _ => report::failure(error),
    }
}
