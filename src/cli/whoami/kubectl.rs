//! Who kubectl is to the cluster, if that does not follow from this plugin's token: the kubeconfig user has other credentials,
//! or kubectl acts as another user.

use std::time::Duration;

use kubectl_login::messages::Result;
use kubectl_login::messages::kube as messages;
use kubectl_login::runtime;
use kubectl_login_core::clock;
use kubectl_login_core::http::network::Network;
use kubectl_login_core::kube::api::ApiClient;
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::kube::review::{ClusterUser, who_am_i};
use kubectl_login_core::secret::Secret;
use kubectl_login_core::text::printable;
use serde::Serialize;

use super::super::args::{OutputFormat, WhoamiArgs};
use super::super::{kubectl_user, report};
use super::text;

/// How long the API server may take.
const LIMIT: Duration = Duration::from_secs(3);

/// The user that the cluster authenticates for kubectl.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KubectlView {
    /// As bindings name it.
    username: String,
    /// All groups, including those of Kubernetes itself.
    groups: Vec<String>,
    /// What kubectl signs in with, and where that is in the kubeconfig.
    credential: String,
}

/// The machine-readable form if kubectl does not use this plugin.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KubectlOnly<'a> {
    api_version: &'static str,
    kind: &'static str,
    kubectl: &'a KubectlView,
}

impl KubectlView {
    /// Asks the API server; `token` is the plugin's, if there is one.
    ///
    /// Errors: what kubectl sends is not known here or cannot be read; the API server does not say.
    pub(super) fn ask(entry: &Entry, network: &Network, token: Option<&Secret>) -> Result<Option<KubectlView>> {
        if let Some(reason) = kubectl_user::overrides(entry).into_iter().next().filter(|_| entry.exec.is_none()) {
            return Err(reason);
        }
        let Some(credentials) = kubectl_user::credentials(entry, token)? else { return Ok(None) };
        let api = ApiClient::with_credentials(&entry.api_server, network, &credentials, clock::limit(LIMIT))
            .map_err(|error| messages::api_client_error(&error))?;
        let said = runtime::run_until_interrupted(who_am_i(&api))?;
        let ClusterUser { username, groups, .. } = said.map_err(|failure| {
            let refusal = kubectl_user::refusal(entry, &failure);
            refusal.unwrap_or_else(|| messages::api_error(&failure, &api, "ask the cluster who kubectl is"))
        })?;
        Ok(Some(KubectlView { username, groups, credential: kubectl_user::described(entry) }))
    }

    /// The text for people.
    pub(super) fn fact(&self) -> String {
        let (user, by) = (printable(&self.username, 200), &self.credential);
        let count = self.groups.len();
        let groups = if count == 1 { "1 group".to_owned() } else { format!("{count} groups") };
        format!("would be {user}, in {groups}, by {by}")
    }

    /// Prints only this.
    pub(super) fn print(&self, args: &WhoamiArgs) -> Result<()> {
        let alone = KubectlOnly { api_version: "kubectl-login/v1", kind: "WhoAmI", kubectl: self };
        match args.output {
            OutputFormat::Json => report::json(&alone),
            OutputFormat::Yaml => report::yaml(&alone),
            OutputFormat::Table => {
                let groups: String = self.groups.iter().map(|group| printable(group, 200) + "\n").collect();
                let listed = if args.groups { format!("\n{groups}") } else { String::new() };
                report::print(&(text::line("kubectl", self.fact()) + &listed))
            }
        }
    }
}
