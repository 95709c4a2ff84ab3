//! Why the user's groups are not known, not all, or have no names.

use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::entra::graph::{self, GraphError};
use kubectl_login_core::entra::refusals::{Refusal, Remedy};
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::text::printable;

use super::{ErrorMessage, Explain as _, failure};
use crate::failure::{Failure, GroupsError};
use crate::profile::Profile;

/// What Microsoft Graph is asked for.
const PURPOSE: &str = "read your groups";
/// What to do if the kubeconfig's client is not for Microsoft Graph.
const NAME_A_CLIENT: &str =
    "Name a client of your own that has the delegated permission GroupMember.Read.All, with --graph-client-id ID.";

/// Said if groups are missing.
pub const INCOMPLETE: &str = "not all of your groups are known";

/// What is wrong with a list of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupsFlaw {
    /// Groups are missing.
    Incomplete,
    /// The groups come from the cluster instead of a better source.
    FromCluster,
    /// The groups have no names.
    Nameless,
}

/// The warning for a list with this flaw, of which `error` is the reason; the rest as for [`explain`].
pub fn warning(error: &GroupsError, flaw: GroupsFlaw, profile: &Profile, command: &str) -> ErrorMessage {
    let error = explain(error, profile, command);
    let what = match flaw {
        GroupsFlaw::Incomplete => format!("{INCOMPLETE}: {}", error.what),
        GroupsFlaw::FromCluster => format!("{}; they come from the cluster", error.what),
        GroupsFlaw::Nameless => format!("the groups have no names here: {}", error.what),
    };
    ErrorMessage { what, ..error }
}

/// Why the groups of the user of `profile` are not known; `command` is what signs that user in.
pub fn explain(error: &GroupsError, profile: &Profile, command: &str) -> ErrorMessage {
    let client = profile.groups.graph_client.as_deref();
    let (what, next) = match error {
        GroupsError::Failure(failure) => return failure::explain(failure, profile),
        GroupsError::UserInfo(error) => return error.explain(""),
        GroupsError::InvalidUserInfo(error) => return error.explain("UserInfo"),
        GroupsError::NoGraphToken { failure, is_service_principal } => {
            return no_graph_token(failure, profile, command, *is_service_principal);
        }
        GroupsError::Graph { error, is_service_principal } => {
            let explained = error.explain(PURPOSE);
            return match error {
                GraphError::Denied(refused) => {
                    let code = Some(refused.code.clone());
                    not_permitted(profile, command, *is_service_principal, code, explained.reference)
                }
                _ => explained,
            };
        }
        GroupsError::Earlier(earlier) => return earlier.clone().into(),
        GroupsError::NotListed => (
            "the token lists no groups, and neither does the issuer's UserInfo".to_owned(),
            "If the groups stand in another claim, name it with --groups-claim.\nFor Entra ID use --tenant-id, --client-id and --server-id instead of the flags of OpenID Connect.".to_owned(),
        ),
        GroupsError::SessionChanged => ("the session has changed meanwhile".to_owned(), "Try again.".to_owned()),
        GroupsError::NotEntra => {
            ("only Entra tenants have Microsoft Graph".to_owned(), "Leave out --graph-client-id.".to_owned())
        }
        GroupsError::UnknownHost => (
            "it is not known where Microsoft Graph is in this cloud: the tenant's metadata do not name it".to_owned(),
            "Check --authority-host.".to_owned(),
        ),
        GroupsError::CacheIsOff => (
            "Microsoft Graph cannot be asked for your groups, since nothing is remembered (--token-cache-storage none)"
                .to_owned(),
            "Leave --token-cache-storage none out of the kubeconfig user's exec.args.".to_owned(),
        ),
        GroupsError::OtherAccount { account } => {
            let account = account.as_deref().unwrap_or("an unknown user");
            let words =
                client.map(|client| format!(" --graph-client-id {}", printable(client, 60))).unwrap_or_default();
            (
                format!("the sign-in for Microsoft Graph is that of {account}, and not of the same account"),
                format!("Sign in with one account for both: {command} --force{words}"),
            )
        }
    };
    ErrorMessage::failed(what, next)
}

/// There is no token for Microsoft Graph.
fn no_graph_token(failure: &Failure, profile: &Profile, command: &str, is_service_principal: bool) -> ErrorMessage {
    let second = profile.groups.graph_client.as_deref();
    let id = second.unwrap_or(&profile.client_id);
    // The client that asked for it decides what an administrator has to consent to.
    let message = failure::explain(failure, &Profile { client_id: id.to_owned(), ..profile.clone() });
    let client = printable(id, 60);
    let next = match (failure.remedy(), failure.refusal()) {
        _ if failure.stopped_by().is_some() => return message,
        (_, Some(Refusal::Consent)) => {
            return not_permitted(profile, command, is_service_principal, number(failure), message.reference);
        }
        (Remedy::SignIn, _) if second.is_some() => format!("Sign in: {command} --graph-client-id {client}"),
        // The session may still be valid for the cluster, so only a forced sign-in replaces it.
        (Remedy::SignIn, _) => format!("Sign in again: {command} --force"),
        (_, Some(Refusal::SetUp)) => NAME_A_CLIENT.to_owned(),
        _ => return message,
    };
    let what = match second {
        Some(_) => format!("the client {client} is not signed in for Microsoft Graph: {}", message.what),
        None => format!("Microsoft Graph cannot be asked for your groups: {}", message.what),
    };
    ErrorMessage { what, next, ..message }
}

/// The first AADSTS number of a refusal.
fn number(failure: &Failure) -> Option<String> {
    let Failure::Request(request) = failure else { return None };
    let TokenRequestError::Refused(answer) = &request.error else { return None };
    EntraErrorDetails(answer).numbers().first().map(|number| format!("AADSTS{number}"))
}

/// The client may not read groups, and what permits it. `code` is what the server says, `reference` what the help desk needs.
fn not_permitted(
    profile: &Profile,
    command: &str,
    is_service_principal: bool,
    code: Option<String>,
    reference: Option<String>,
) -> ErrorMessage {
    let second = profile.groups.graph_client.as_deref();
    let client = printable(second.unwrap_or(&profile.client_id), 60);
    let permission = graph::PERMISSION;
    let next = match second {
        _ if is_service_principal => format!(
            "Ask your administrator to consent to the application permissions {permission} and Application.Read.All for this application."
        ),
        None => NAME_A_CLIENT.to_owned(),
        Some(_) => format!(
            "Ask your administrator to consent to the delegated permissions {permission} and User.Read for the client of --graph-client-id.\nThen: {command} --refresh"
        ),
    };
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    ErrorMessage::failed(
        format!("Microsoft Graph does not list your groups: the client {client} may not ask it{code}"),
        next,
    )
    .with_reference(reference)
}
