//! `get-token`: prints one ExecCredential.

use kubectl_login::environment::{self, Environment};
use kubectl_login::error::Error;
use kubectl_login::kube::exec_credential::{ExecInfo, credential_line};
use kubectl_login::paths;
use kubectl_login::session::{Failed, Insist, Road};
use kubectl_login::store::Store;

use super::answer::Answer;
use super::args::GetTokenArgs;
use super::profile;
use super::typed::Typed;
use crate::ui::Terminal;

pub(super) fn run(args: &GetTokenArgs, typed: &Typed, environment: &Environment) -> Result<(), Failed> {
    let answer = Answer::take_stdout()?;
    // Before anybody signs in: a version that cannot be answered would make the sign-in worthless.
    let request = ExecInfo::parse(environment.get(environment::KUBERNETES_EXEC_INFO))
        .map_err(|error| Error::failed(error.to_string(), error.next()))?;
    let settings = profile::settings(args, typed, environment)?;
    let store = Store::open(paths::state(settings.cache_dir.as_deref(), environment), environment);
    let person = Terminal::new(settings.prompt, &settings.profile, request.server, environment);
    let insist = Insist { on_refresh: settings.force_refresh, ..Insist::default() };
    let obtained = Road::new(&settings.profile, &store, environment, &person, insist).token()?;
    let line = credential_line(request.api_version, obtained.token.expose(), Some(obtained.expires_at))
        .map_err(|error| Error::failed(error.to_string(), error.next()))?;
    answer.write(&line)?;
    Ok(())
}
