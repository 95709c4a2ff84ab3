//! Which flags were typed, apart from what they say: the flags decide the dialect, and a default decides nothing.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::{ENTRA, OIDC};
use super::compat_flags;

/// Which flags of `get-token` were typed, as far as that means something beyond their values.
#[derive(Clone, Debug, Default)]
pub(super) struct GivenFlags {
    /// One that only Microsoft Entra ID has.
    pub(super) entra: Option<String>,
    /// One that only OpenID Connect has.
    pub(super) oidc: Option<String>,
    /// One that would change what is asked of the issuer, and does not yet.
    pub(super) not_yet: Option<&'static str>,
}

impl GivenFlags {
    pub(super) fn from_matches(grammar: &clap::Command, given: &ArgMatches) -> GivenFlags {
        let under = |heading: &str| {
            grammar
                .get_arguments()
                .filter(|arg| arg.get_help_heading() == Some(heading))
                .find(|arg| given.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine))
                .and_then(|arg| arg.get_long().map(str::to_owned))
        };
        let on = |name: &&str| given.try_get_one::<bool>(name).ok().flatten() == Some(&true);
        GivenFlags { entra: under(ENTRA), oidc: under(OIDC), not_yet: compat_flags::NOT_YET.iter().copied().find(on) }
    }
}
