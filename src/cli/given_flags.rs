//! Which flags of `get-token` were given, apart from their values: given flags decide the dialect, and defaults do not.

use super::args::{ENTRA, Flag, OIDC};

/// Which flags of `get-token` were given, as far as that matters apart from their values.
#[derive(Clone, Debug, Default)]
pub(super) struct GivenFlags {
    entra: Option<&'static Flag>,
    oidc: Option<&'static Flag>,
}

impl GivenFlags {
    /// A flag that is only for Microsoft Entra ID.
    pub(super) fn entra(&self) -> Option<&'static str> {
        self.entra.map(|flag| flag.name)
    }

    /// A flag that is only for OpenID Connect.
    pub(super) fn oidc(&self) -> Option<&'static str> {
        self.oidc.map(|flag| flag.name)
    }

    /// Notes that `flag` was given. Of several, the first one in the order of help is kept.
    pub(super) fn note(&mut self, flag: &'static Flag) {
        let first = match flag.heading {
            Some(ENTRA) => &mut self.entra,
            Some(OIDC) => &mut self.oidc,
            _ => return,
        };
        // All flags are in one table.
        let is_first = first.is_none_or(|first| std::ptr::from_ref(flag) < std::ptr::from_ref(first));
        if is_first {
            *first = Some(flag);
        }
    }
}

impl PartialEq for GivenFlags {
    fn eq(&self, other: &GivenFlags) -> bool {
        (self.entra(), self.oidc()) == (other.entra(), other.oidc())
    }
}

impl Eq for GivenFlags {}
