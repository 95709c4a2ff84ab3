//! `get-token`: prints one ExecCredential.

use std::process::ExitCode;

use kubectl_login::environment::{self, Environment};
use kubectl_login::messages::kube as messages;
use kubectl_login::session::identity::Identity;
use kubectl_login::session::repeats::Repeats;
use kubectl_login::session::{Failed, RequestOptions, TokenOrigin, TokenRequest, caller};
use kubectl_login_core::kube::exec_credential::{ExecInfo, credential_line};

use super::answer::Answer;
use super::args::GetTokenArgs;
use super::network::CaFiles;
use super::selection::Selection;
use super::typed::Typed;
use super::{entry, profile, report};
use crate::ui::{SignInTarget, Terminal};

pub(super) fn run(
    args: &GetTokenArgs,
    typed: &Typed,
    environment: &Environment,
    repeats: Repeats<'_>,
) -> Result<(), Failed> {
    let answer = Answer::take_stdout()?;
    // Before any sign-in: a version that cannot be answered would make it worthless.
    let info = environment.get_os(environment::KUBERNETES_EXEC_INFO).map(|text| text.to_string_lossy());
    let info = ExecInfo::parse(info.as_deref()).map_err(|error| messages::exec_info_error(&error))?;
    let settings = profile::settings(args, typed, environment, None, &CaFiles::default())?;
    let store = settings.store(environment);
    // Looked up only if it is to be shown: a warm call reads no kubeconfig.
    let words = || Selection::of_process(environment).needed_words();
    let person = Terminal::new(settings.prompt, &settings.profile, info.server.map(SignInTarget::Server), environment)
        .found_by(&words);
    let options = RequestOptions { force_refresh: settings.force_refresh, ..RequestOptions::default() };
    let identity = Identity::of(&settings.profile);
    let request =
        TokenRequest::new(&settings.profile, &identity, &store, environment, &person, options).repeated_by(repeats);
    let obtained = request.obtain().map_err(|failed| {
        let sources = settings.sources.clone().selected_by(Selection::of_process(environment));
        sources.failed(failed)
    })?;
    let api_version = info.api_version.unwrap_or_else(|| entry::own_api_version(environment));
    let line = credential_line(api_version, obtained.token.expose(), Some(obtained.expires_at))
        .map_err(|error| messages::invalid_token(&error))?;
    answer.write(&line)?;
    if obtained.origin == TokenOrigin::SignIn && settings.profile.needs_a_person() {
        let (beginning, rest) = obtained.sentence(obtained.facts.as_ref());
        person.confirm(&beginning, &rest);
    }
    Ok(())
}

/// Prints a failure, once per caller and half a minute, and returns the exit code.
pub(super) fn failure(failed: &Failed, repeats: Repeats<'_>) -> ExitCode {
    let is_over = failed.silent || failed.error.kind.is_an_end();
    match if is_over { None } else { repeats.tell(&failed.error) } {
        // A Kubernetes client repeats the plugin by itself, and the text stands above already.
        Some(_) if repeats.is_client() && caller::shares_stderr() => ExitCode::from(failed.error.kind.exit_code()),
        // A user who typed the command, or a client that shows the errors of one run alone, would be left without a reason.
        Some(repeat) if repeat.is_later => report::repeated(&failed.error, repeat),
        _ => report::failure(failed),
    }
}
