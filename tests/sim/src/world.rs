//! The public interface of the world: addresses, settings, the user who approves, and the log of requests.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

use crate::authorization;
use crate::behaviour::Behaviour;
use crate::device::{self, Decision};
use crate::request::{Log, Request, Server};
use crate::server::{Port, listen};
use crate::state::{Shared, State};
use crate::tls::Tls;
use crate::{graph, misbehaviour};

/// A running world. Dropping it ends it and closes its connections.
pub struct World {
    pub(crate) shared: Arc<Shared>,
    plain: SocketAddr,
    secure: SocketAddr,
    kube: SocketAddr,
    ca_pem: String,
    ca_file: PathBuf,
    client: (String, String),
    /// Holds the file; removed with the world.
    _folder: TempDir,
    /// `None` only while the world is being dropped.
    runtime: Option<Runtime>,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Without waiting: some connections are stalled on purpose.
            runtime.shutdown_background();
        }
    }
}

impl World {
    /// Starts a well-behaved world on its own loopback ports.
    ///
    /// # Panics
    ///
    /// If this machine has no free loopback port or cannot create a temporary directory.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a world in which these behaviours are set.
    ///
    /// # Panics
    ///
    /// As [`World::start`].
    pub fn start_with(behaviours: &[Behaviour]) -> Self {
        let world = Self::start_on(Ipv4Addr::LOCALHOST.into());
        behaviours.iter().for_each(|&behaviour| world.set(behaviour));
        world
    }

    /// Starts a well-behaved world on another address of this machine, for networks without the usual one. The address
    /// is in its certificate.
    ///
    /// # Panics
    ///
    /// As [`World::start`], and if the address is not this machine's.
    pub fn start_on(address: IpAddr) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .thread_name("sim")
            .build()
            .expect("threads for the servers");
        let shared = Arc::new(Shared::new());
        let tls = Tls::new(address);
        let acceptor = TlsAcceptor::from(Arc::clone(&tls.server));
        let open = |port, tls| listen(runtime.handle(), &shared, address, port, tls).expect("a free port");
        let plain = open(Port::Issuers, None);
        let secure = open(Port::Issuers, Some(acceptor));
        let kube = open(Port::Kube, Some(TlsAcceptor::from(Arc::clone(&tls.kube))));
        {
            let mut state = shared.lock();
            state.origins = [("http", plain), ("https", secure)]
                .iter()
                .flat_map(|(scheme, at)| [format!("{scheme}://{at}"), format!("{scheme}://localhost:{}", at.port())])
                .collect();
            state.claim_source = format!("http://{}/hostile/claim-source", open(Port::ClaimSource, None));
        }
        let folder = tempfile::Builder::new().prefix("sim-").tempdir().expect("a temporary folder");
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, &tls.ca_pem).expect("a file in the temporary folder");
        let (ca_pem, client) = (tls.ca_pem, tls.client);
        Self { shared, plain, secure, kube, ca_pem, ca_file, client, _folder: folder, runtime: Some(runtime) }
    }

    // Addresses.

    /// The Entra-shaped authority, `http://127.0.0.1:PORT/`, as `--authority-host` takes it.
    pub fn authority(&self) -> String {
        format!("http://{}/", self.plain)
    }

    /// The same authority over https; the world's own certificate authority issued its certificate.
    pub fn tls_authority(&self) -> String {
        format!("https://{}/", self.secure)
    }

    /// The plain OpenID Connect issuer, `http://127.0.0.1:PORT/oidc`.
    pub fn issuer(&self) -> String {
        format!("http://{}/oidc", self.plain)
    }

    /// The same issuer over https. The `iss` of its tokens is this URL.
    pub fn tls_issuer(&self) -> String {
        format!("https://{}/oidc", self.secure)
    }

    /// Microsoft Graph, `http://127.0.0.1:PORT`, without the `/v1.0`.
    pub fn graph_url(&self) -> String {
        format!("http://{}", self.plain)
    }

    /// The same Graph over https.
    pub fn tls_graph_url(&self) -> String {
        format!("https://{}", self.secure)
    }

    /// The Kubernetes API, `https://127.0.0.1:PORT`.
    pub fn kube_url(&self) -> String {
        format!("https://{}", self.kube)
    }

    /// The page on which a person approves or denies by hand, for the codes of both issuers.
    pub fn approval_page(&self) -> String {
        format!("http://{}/oidc/activate", self.plain)
    }

    /// The certificate authority of the https servers, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same as a file, which exists as long as the world.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// A client certificate that the Kubernetes API accepts, as `masterclient`, and its key, in PEM.
    pub fn client_certificate(&self) -> (&str, &str) {
        (&self.client.0, &self.client.1)
    }

    // Behaviours.

    /// Sets a behaviour; one that is temporary starts again.
    pub fn set(&self, behaviour: Behaviour) {
        self.shared.lock().set(behaviour);
    }

    /// Clears a behaviour.
    pub fn clear(&self, behaviour: Behaviour) {
        self.shared.lock().clear(behaviour);
    }

    /// Clears every behaviour. The other settings stay.
    pub fn clear_all(&self) {
        self.shared.lock().clear_all();
    }

    // The user.

    /// Whether users approve automatically, which is the default: device codes at the second poll, browser sign-ins at
    /// once.
    pub fn approve_automatically(&self, approve: bool) {
        self.shared.lock().settings.approve = approve;
    }

    /// The user who approves from now on.
    pub fn sign_in_as(&self, user: &str) {
        user.clone_into(&mut self.shared.lock().settings.user);
    }

    /// Approves one user code. Returns whether it was pending.
    pub fn approve(&self, user_code: &str) -> bool {
        device::decide(&mut self.shared.lock(), Some(user_code), true) > 0
    }

    /// Approves all pending device codes. Returns how many there were.
    pub fn approve_pending(&self) -> usize {
        device::decide(&mut self.shared.lock(), None, true)
    }

    /// Denies one user code. Returns whether it was pending.
    pub fn deny(&self, user_code: &str) -> bool {
        device::decide(&mut self.shared.lock(), Some(user_code), false) > 0
    }

    /// Denies all pending device codes. Returns how many there were.
    pub fn deny_pending(&self) -> usize {
        device::decide(&mut self.shared.lock(), None, false)
    }

    /// The user codes that are pending.
    pub fn pending(&self) -> Vec<String> {
        let state = self.shared.lock();
        let pending = state.grants.iter().filter(|grant| grant.decision == Decision::Pending);
        pending.map(|grant| grant.user_code.clone()).collect()
    }

    // The user's browser.

    /// Approves one authorization request, by its id. Returns whether it was pending.
    ///
    /// Its page then returns to the client. A test without a browser requests the page again, with `sign_in` and the id
    /// as the only parameter, or uses [`World::callback_address`].
    pub fn approve_authorization(&self, id: &str) -> bool {
        authorization::decide(&mut self.shared.lock(), Some(id), true) > 0
    }

    /// Approves all pending authorization requests. Returns how many there were.
    pub fn approve_pending_authorizations(&self) -> usize {
        authorization::decide(&mut self.shared.lock(), None, true)
    }

    /// Denies one authorization request, by its id. Returns whether it was pending.
    pub fn deny_authorization(&self, id: &str) -> bool {
        authorization::decide(&mut self.shared.lock(), Some(id), false) > 0
    }

    /// Denies all pending authorization requests. Returns how many there were.
    pub fn deny_pending_authorizations(&self) -> usize {
        authorization::decide(&mut self.shared.lock(), None, false)
    }

    /// The ids of the pending authorization requests.
    pub fn pending_authorizations(&self) -> Vec<String> {
        let state = self.shared.lock();
        let pending = state.authorizations.iter().filter(|one| one.decision == Decision::Pending);
        pending.map(|one| one.id.clone()).collect()
    }

    /// The address on which the browser of a decided request ends, with its code or its error, as a user could paste
    /// it. It is always the same, because a code is only used up at the token endpoint.
    pub fn callback_address(&self, id: &str) -> Option<String> {
        authorization::address(&self.shared.lock(), id)
    }

    // Waiting.

    /// Waits until this many valid authorization requests have arrived since the last [`World::reset_requests`].
    /// Returns their ids, oldest first; fewer if the time is over.
    pub fn wait_for_authorize_request(&self, count: usize, timeout: Duration) -> Vec<String> {
        let ids = |state: &State| -> Vec<String> {
            state.authorizations.iter().skip(state.old_authorizations).map(|one| one.id.clone()).collect()
        };
        self.shared
            .wait(timeout, |state| Some(ids(state)).filter(|ids| ids.len() >= count))
            .unwrap_or_else(|| ids(&self.shared.lock()))
    }

    /// Waits until this many user codes have been issued since the last [`World::reset_requests`]. Returns them, oldest
    /// first; fewer if the time is over.
    pub fn wait_for_device_request(&self, count: usize, timeout: Duration) -> Vec<String> {
        let codes = |state: &State| -> Vec<String> {
            state.grants.iter().skip(state.old_grants).map(|grant| grant.user_code.clone()).collect()
        };
        self.shared
            .wait(timeout, |state| Some(codes(state)).filter(|codes| codes.len() >= count))
            .unwrap_or_else(|| codes(&self.shared.lock()))
    }

    /// Waits until the log satisfies a condition. Returns false if the time is over. The condition is checked each time
    /// a request arrives or gets its response, and must not call the world itself.
    pub fn wait_for(&self, timeout: Duration, condition: impl Fn(&Log) -> bool) -> bool {
        self.shared.wait(timeout, |state| condition(&state.log).then_some(())).is_some()
    }

    // The log.

    /// A copy of the log.
    pub fn log(&self) -> Log {
        self.shared.lock().log.clone()
    }

    /// Every request, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.log().entries
    }

    /// The number of requests whose path ends like this.
    pub fn count(&self, path_suffix: &str) -> usize {
        self.shared.lock().log.count(path_suffix)
    }

    /// The token requests of one grant type; see [`Log::token_requests`].
    pub fn token_requests(&self, grant_type: &str) -> Vec<Request> {
        self.shared.lock().log.token_requests(grant_type)
    }

    /// The device authorization requests.
    pub fn device_requests(&self) -> Vec<Request> {
        self.shared.lock().log.device_requests()
    }

    /// The authorization requests; see [`Log::authorize_requests`].
    pub fn authorize_requests(&self) -> Vec<Request> {
        self.shared.lock().log.authorize_requests()
    }

    /// The refreshes.
    pub fn refreshes(&self) -> Vec<Request> {
        self.shared.lock().log.refreshes()
    }

    /// The number of polls that came before their interval was over.
    pub fn polls_too_early(&self) -> usize {
        self.shared.lock().log.entries.iter().filter(|request| request.too_early).count()
    }

    /// The number of requests that followed a redirect: 0 for a client that follows none.
    pub fn redirects_followed(&self) -> usize {
        self.count(misbehaviour::MOVED)
    }

    /// The number of requests to the host of [`Behaviour::HostileClaimSource`], on any path: 0 for a client that does
    /// not trust a token's claim source.
    pub fn claim_source_contacted(&self) -> usize {
        self.requests().iter().filter(|request| request.server == Server::ClaimSource).count()
    }

    /// The number of requests that followed the `@odata.nextLink` of [`Behaviour::GraphNextLinkElsewhere`].
    pub fn next_links_elsewhere_followed(&self) -> usize {
        self.shared.lock().log.entries.iter().filter(|request| graph::is_elsewhere(&request.query)).count()
    }

    /// How many families of refresh tokens were revoked because a used token or code was presented again.
    pub fn families_revoked(&self) -> usize {
        self.shared.lock().families_revoked
    }

    /// Forgets the requests so far.
    pub fn reset_requests(&self) {
        let mut state = self.shared.lock();
        state.log = Log::default();
        state.old_grants = state.grants.len();
        state.old_authorizations = state.authorizations.len();
    }
}
