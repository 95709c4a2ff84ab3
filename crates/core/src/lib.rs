//! What `kubectl-login` and a server both need: OAuth 2.0 and OpenID Connect, Microsoft Entra ID, and Kubernetes.
//!
//! Dependencies between the modules point downwards only:
//!
//! - [`entra`]: what is special about Microsoft Entra ID: clouds, refusals, Graph.
//! - [`oauth`]: the protocol; knows no vendor.
//! - [`known_issuers`]: how single issuers differ from the standard.
//! - [`kube`]: ExecCredential, kubeconfig, and requests to an API server.
//! - [`http`]: HTTP policy: connections, proxies, trust, retries, limits.
//! - [`clock`], [`secret`], [`text`], [`masking`], [`budget`], [`named_file`], [`error`]: what all of them use.
//!
//! Nothing here knows flags, a terminal, the plugin's own files or an async runtime of its own.

pub mod budget;
pub mod clock;
pub mod entra;
pub mod error;
pub mod http;
pub mod known_issuers;
pub mod kube;
pub mod masking;
pub mod named_file;
pub mod oauth;
pub mod secret;
pub mod text;

/// A server shares clients between threads: the compiler checks that it can.
#[cfg(test)]
mod send_sync {
    use std::time::Duration;

    use url::Url;

    use crate::http::network::Network;
    use crate::kube::access::{self, AccessQuestion, Explanation};
    use crate::kube::api::{ApiClient, ApiClientError, ApiError};
    use crate::kube::api_credentials::{ApiCredentials, CredentialError};
    use crate::kube::kubeconfig::{Kubeconfig, KubeconfigCluster, KubeconfigError};
    use crate::kube::rbac::Requester;
    use crate::kube::review::{AccessRequest, review_access, who_am_i};
    use crate::oauth::client::{Moves, OAuthClient};
    use crate::oauth::device::{self, PendingDeviceCode};
    use crate::secret::Secret;

    fn assert_send_sync<T: Send + Sync>() {}

    fn assert_send<T: Send>(_: T) {}

    #[test]
    fn oauth_clients_can_be_shared() {
        assert_send_sync::<OAuthClient>();
        assert_send_sync::<PendingDeviceCode>();
        // Compiled and never run.
        let _ = |client: &OAuthClient, pending: &PendingDeviceCode, url: &Url, secret: &Secret| {
            let limit = Duration::ZERO;
            assert_send(client.refresh(secret, &[], limit));
            assert_send(client.password("", secret, &[], limit));
            assert_send(client.revoke(url, secret, limit));
            assert_send(client.read_discovery_again(Moves::Anywhere, limit));
            assert_send(client.optional_endpoint(|endpoints| endpoints.keys.as_ref(), Moves::Anywhere, limit));
            assert_send(device::start(client, url, &[], true, limit));
            assert_send(pending.wait(client, limit, crate::oauth::error_response::OAuthErrorResponse::class, |_| {}));
        };
    }

    #[test]
    fn kube_is_send_and_sync() {
        assert_send_sync::<(ApiClient, ApiCredentials, Kubeconfig, KubeconfigCluster, Explanation)>();
        assert_send_sync::<(ApiError, ApiClientError, CredentialError, KubeconfigError)>();
        // Never called: it has to compile.
        let _ = |api: &ApiClient, question: &AccessQuestion, request: &AccessRequest, requester: &Requester| {
            assert_send(access::explain(api, question, requester));
            assert_send(review_access(api, request));
            assert_send(who_am_i(api));
            assert_send(api.probe());
            assert_send(api.list::<String>(&[]));
        };
        let client = |cluster: &KubeconfigCluster| ApiClient::anonymous(cluster, &Network::default(), Duration::ZERO);
        assert!(client(&KubeconfigCluster::default()).is_err());
    }
}
