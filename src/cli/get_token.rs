//! `get-token`: prints one ExecCredential.

use kubectl_login::environment::{self, Environment};
use kubectl_login::error::Error;
use kubectl_login::kube::exec_credential::{ExecInfo, credential_line};
use kubectl_login::session::{Failed, How, Insist, Road};

use super::answer::Answer;
use super::args::GetTokenArgs;
use super::{entry, profile};
use super::typed::Typed;
use crate::ui::{Target, Terminal};

pub(super) fn run(args: &GetTokenArgs, typed: &Typed, environment: &Environment) -> Result<(), Failed> {
    let answer = Answer::take_stdout()?;
    // Before anybody signs in: a version that cannot be answered would make the sign-in worthless.
    let request = environment.get_os(environment::KUBERNETES_EXEC_INFO).map(|text| text.to_string_lossy());
    let request =
        ExecInfo::parse(request.as_deref()).map_err(|error| Error::failed(error.to_string(), error.next()))?;
    let settings = profile::settings(args, typed, environment, None)?;
    let store = settings.store(environment);
    let person = Terminal::new(settings.prompt, &settings.profile, request.server.map(Target::Server), environment);
    let insist = Insist { on_refresh: settings.force_refresh, ..Insist::default() };
    let obtained = Road::new(&settings.profile, &store, environment, &person, insist).token();
    let obtained = obtained.map_err(|failed| settings.sources.failed(failed))?;
    let api_version = request.api_version.unwrap_or_else(|| entry::own_api_version(environment));
    let line = credential_line(api_version, obtained.token.expose(), Some(obtained.expires_at))
        .map_err(|error| Error::failed(error.to_string(), error.next()))?;
    answer.write(&line)?;
    if obtained.how == How::SignedIn && settings.profile.needs_a_person() {
        let (beginning, rest) = obtained.sentence(obtained.facts.as_ref());
        person.confirm(&beginning, &rest);
    }
    Ok(())
}
