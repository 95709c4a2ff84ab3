//! Kubeconfig files for the world's cluster, as users have them.

use serde_json::json;

use crate::world::World;
use crate::{CLIENT, OIDC_CLIENT, SERVER, TENANT, base64_standard};

/// A YAML scalar that any parser reads as exactly this text: JSON strings are YAML.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// A block list under `args:`, eight spaces in.
fn list(args: &[&str]) -> String {
    args.iter().map(|arg| format!("      - {}\n", quoted(arg))).collect()
}

impl World {
    fn cluster(&self, context: &str, user: &str) -> String {
        let server = self.kube_url();
        let ca = base64_standard(self.ca_pem().as_bytes());
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    \
             certificate-authority-data: {ca}\n    server: {server}\n  \
             name: {context}\ncontexts:\n- context:\n    cluster: {context}\n    user: {user}\n  name: {context}\n\
             current-context: {context}\npreferences: {{}}\nusers:\n- name: {user}\n  user:\n    exec:\n"
        )
    }

    /// A kubeconfig with the context `sim` and the user `sim-user`, whose exec plugin is this command.
    ///
    /// `api_version` is the whole value, `client.authentication.k8s.io/v1` or `…/v1beta1`.
    pub fn kubeconfig(&self, command: &str, args: &[&str], api_version: &str) -> String {
        format!(
            "{}      apiVersion: {api_version}\n      command: {}\n      args:\n{}      \
             interactiveMode: IfAvailable\n      provideClusterInfo: true\n",
            self.cluster("sim", "sim-user"),
            quoted(command),
            list(args),
        )
    }

    /// The arguments that `az aks get-credentials` writes, plus `--authority-host` for this world.
    pub fn aks_args(&self) -> Vec<String> {
        let authority = self.authority();
        [
            "get-token",
            "--environment",
            "AzurePublicCloud",
            "--server-id",
            SERVER,
            "--client-id",
            CLIENT,
            "--tenant-id",
            TENANT,
            "--login",
            "devicecode",
            "--authority-host",
            &authority,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// A kubeconfig as `az aks get-credentials` writes it: context `sim`, user `clusterUser_rg_sim`, v1beta1, no
    /// `interactiveMode`.
    pub fn aks_kubeconfig(&self, command: &str) -> String {
        let args = self.aks_args();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        format!(
            "{}      apiVersion: client.authentication.k8s.io/v1beta1\n      args:\n{}      command: {}\n      \
             env: null\n      installHint: |2\n\n        kubelogin is not installed which is required to connect \
             to AAD enabled cluster.\n\n        To learn more, please go to https://azure.github.io/kubelogin/\n      \
             provideClusterInfo: false\n",
            self.cluster("sim", "clusterUser_rg_sim"),
            list(&args),
            quoted(command),
        )
    }

    /// The arguments for the plain issuer, with a device code.
    pub fn oidc_args(&self) -> Vec<String> {
        let issuer = self.issuer();
        ["get-token", "--oidc-issuer-url", &issuer, "--oidc-client-id", OIDC_CLIENT, "--grant-type", "device-code"]
            .map(str::to_owned)
            .to_vec()
    }

    /// A kubeconfig for the plain issuer: context `sim`, user `sim-user`, v1.
    pub fn oidc_kubeconfig(&self, command: &str) -> String {
        let args = self.oidc_args();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.kubeconfig(command, &args, "client.authentication.k8s.io/v1")
    }
}
