//! What a token is requested for: the resource of a scope, and which clients can get a token for it.

use crate::behaviour::Behaviour;
use crate::entra_errors::Refusal;
use crate::state::State;
use crate::{CLIENT, UNREGISTERED_SERVER};

const GRAPH_ID: &str = "00000003-0000-0000-c000-000000000000";
const GRAPH_URL: &str = "https://graph.microsoft.com";
/// The permissions of the tenant's own client at Graph.
pub(crate) const GRAPH_PERMISSIONS: &str = "GroupMember.Read.All User.Read";

/// An application that tokens are issued for.
pub(crate) struct Resource {
    /// As requested: the value of `aud`.
    pub(crate) audience: String,
    pub(crate) graph: bool,
}

impl Resource {
    /// The scopes in a token response.
    pub(crate) fn granted(&self) -> String {
        let Self { audience, graph } = self;
        let permissions = if *graph { GRAPH_PERMISSIONS } else { "user.read .default" };
        permissions.split(' ').map(|one| format!("{audience}/{one}")).collect::<Vec<_>>().join(" ")
    }
}

/// Whether an audience means Graph. The address of the world's Graph counts too.
pub(crate) fn is_graph(state: &State, audience: &str) -> bool {
    let audience = audience.trim_end_matches('/');
    [GRAPH_ID, GRAPH_URL].contains(&audience) || state.origins.iter().any(|origin| origin == audience)
}

/// The resource that a scope asks for, if the client can get tokens for it.
pub(crate) fn resource(state: &State, scope: &str, client: &str) -> Result<Resource, Refusal> {
    let of_openid = ["openid", "offline_access", "profile", "email"];
    let mut asked = scope.split_whitespace().filter(|one| !of_openid.contains(one));
    // A scope without a resource is one of Graph's.
    let audience = asked.next().map_or(Some((GRAPH_ID, "")), |one| one.rsplit_once('/'));
    let Some((audience, _)) = audience.filter(|(name, _)| !name.is_empty()) else {
        return Err(Refusal::new(
            "invalid_scope",
            70011,
            format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input \
                 parameter 'scope' is not valid. The scope {scope} is not valid."
            ),
        ));
    };
    let graph = is_graph(state, audience);
    if graph && client == CLIENT {
        return Err(Refusal::new(
            "invalid_grant",
            65002,
            format!(
                "Consent between first party application '{client}' and first party resource '{GRAPH_ID}' must \
                 be configured via preauthorization - applications owned and operated by Microsoft must get approval \
                 from the API owner before requesting tokens for that API."
            ),
        ));
    }
    if audience == UNREGISTERED_SERVER {
        return Err(Refusal::new(
            "invalid_resource",
            500011,
            format!(
                "The resource principal named {audience} was not found in the tenant named Contoso. This can \
                 happen if the application has not been installed by the administrator of the tenant or consented to \
                 by any user in the tenant."
            ),
        ));
    }
    Ok(Resource { audience: audience.to_owned(), graph })
}

/// Whether a user or an administrator has consented. Checked when a token is about to be issued.
pub(crate) fn check_consent(state: &State, resource: &Resource) -> Result<(), Refusal> {
    if resource.graph && state.on(Behaviour::GraphNotConsented) { Err(Refusal::not_consented()) } else { Ok(()) }
}
