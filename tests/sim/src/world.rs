//! The world as its users hold it: addresses, knobs, the person who approves, and what was asked.

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
use crate::{graph, trouble};

/// A running world. It ends, and its connections with it, when this is dropped.
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
    /// Only `None` while it is being dropped.
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
    /// Starts a well-behaved world on loopback ports of its own.
    ///
    /// # Panics
    ///
    /// If this machine has no loopback port or no temporary folder left.
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

    /// Starts a well-behaved world on another address of this machine, for networks without the usual one. Its
    /// certificate has the address.
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

    /// The same authority over https; its certificate comes from the world's own authority.
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

    /// The page on which a person approves or denies by hand, whichever issuer the code is from.
    pub fn approval_page(&self) -> String {
        format!("http://{}/oidc/activate", self.plain)
    }

    /// The certificate authority of the https servers, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same in a file, which lives as long as the world.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// A client certificate that the Kubernetes API accepts, as `masterclient`, and its key, in PEM.
    pub fn client_certificate(&self) -> (&str, &str) {
        (&self.client.0, &self.client.1)
    }

    // Behaviours.

    /// Sets a behaviour; one that wears off starts anew.
    pub fn set(&self, behaviour: Behaviour) {
        self.shared.lock().set(behaviour);
    }

    /// Clears a behaviour.
    pub fn clear(&self, behaviour: Behaviour) {
        self.shared.lock().clear(behaviour);
    }

    /// Clears every behaviour. The other knobs stay as they are.
    pub fn clear_all(&self) {
        self.shared.lock().clear_all();
    }

    // The person.

    /// Whether people approve by themselves: device codes at the poll after the first, browser sign-ins at once. They
    /// do unless told otherwise.
    pub fn approve_automatically(&self, approve: bool) {
        self.shared.lock().settings.approve = approve;
    }

    /// Who approves from now on.
    pub fn sign_in_as(&self, user: &str) {
        user.clone_into(&mut self.shared.lock().settings.user);
    }

    /// Approves one user code. Whether there was a pending one.
    pub fn approve(&self, user_code: &str) -> bool {
        device::decide(&mut self.shared.lock(), Some(user_code), true) > 0
    }

    /// Approves whatever is pending. How many there were.
    pub fn approve_pending(&self) -> usize {
        device::decide(&mut self.shared.lock(), None, true)
    }

    /// Denies one user code. Whether there was a pending one.
    pub fn deny(&self, user_code: &str) -> bool {
        device::decide(&mut self.shared.lock(), Some(user_code), false) > 0
    }

    /// Denies whatever is pending. How many there were.
    pub fn deny_pending(&self) -> usize {
        device::decide(&mut self.shared.lock(), None, false)
    }

    /// The user codes that wait for a decision.
    pub fn pending(&self) -> Vec<String> {
        let state = self.shared.lock();
        let pending = state.grants.iter().filter(|grant| grant.decision == Decision::Pending);
        pending.map(|grant| grant.user_code.clone()).collect()
    }

    // The person's browser.

    /// Approves one authorization request, by its id. Whether it was pending.
    ///
    /// Its page then goes back to the client. A test without a browser asks for the page again, with `sign_in` and the
    /// id as the only parameter, or takes [`World::callback_address`].
    pub fn approve_authorization(&self, id: &str) -> bool {
        authorization::decide(&mut self.shared.lock(), Some(id), true) > 0
    }

    /// Approves every authorization request that is pending. How many there were.
    pub fn approve_pending_authorizations(&self) -> usize {
        authorization::decide(&mut self.shared.lock(), None, true)
    }

    /// Denies one authorization request, by its id. Whether it was pending.
    pub fn deny_authorization(&self, id: &str) -> bool {
        authorization::decide(&mut self.shared.lock(), Some(id), false) > 0
    }

    /// Denies every authorization request that is pending. How many there were.
    pub fn deny_pending_authorizations(&self) -> usize {
        authorization::decide(&mut self.shared.lock(), None, false)
    }

    /// The ids of the authorization requests that wait for a decision.
    pub fn pending_authorizations(&self) -> Vec<String> {
        let state = self.shared.lock();
        let pending = state.authorizations.iter().filter(|one| one.decision == Decision::Pending);
        pending.map(|one| one.id.clone()).collect()
    }

    /// Where the browser of a decided request ends: the address, with its code or its error, that a person could paste.
    /// The same each time, as a code is only used up at the token endpoint.
    pub fn callback_address(&self, id: &str) -> Option<String> {
        authorization::address(&self.shared.lock(), id)
    }

    // Waiting.

    /// Waits until this many authorization requests were in order since the last [`World::reset_requests`], and hands
    /// back their ids, oldest first; fewer when the time is over.
    pub fn wait_for_authorize_request(&self, count: usize, timeout: Duration) -> Vec<String> {
        let ids = |state: &State| -> Vec<String> {
            state.authorizations.iter().skip(state.old_authorizations).map(|one| one.id.clone()).collect()
        };
        self.shared
            .wait(timeout, |state| Some(ids(state)).filter(|ids| ids.len() >= count))
            .unwrap_or_else(|| ids(&self.shared.lock()))
    }

    /// Waits until this many user codes have been handed out since the last [`World::reset_requests`], and hands them
    /// back, oldest first; fewer when the time is over.
    pub fn wait_for_device_request(&self, count: usize, timeout: Duration) -> Vec<String> {
        let codes = |state: &State| -> Vec<String> {
            state.grants.iter().skip(state.old_grants).map(|grant| grant.user_code.clone()).collect()
        };
        self.shared
            .wait(timeout, |state| Some(codes(state)).filter(|codes| codes.len() >= count))
            .unwrap_or_else(|| codes(&self.shared.lock()))
    }

    /// Waits until the log satisfies a condition; false when the time is over. The condition is looked at whenever a
    /// request arrives or is answered, and must not call the world itself.
    pub fn wait_for(&self, timeout: Duration, condition: impl Fn(&Log) -> bool) -> bool {
        self.shared.wait(timeout, |state| condition(&state.log).then_some(())).is_some()
    }

    // What was asked.

    /// A copy of the log.
    pub fn log(&self) -> Log {
        self.shared.lock().log.clone()
    }

    /// Every request, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.log().entries
    }

    /// How many requests had a path that ends like this.
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

    /// How many polls came before their interval was over.
    pub fn polls_too_early(&self) -> usize {
        self.shared.lock().log.entries.iter().filter(|request| request.too_early).count()
    }

    /// How many requests went where a redirect pointed: none from a client that follows no redirects.
    pub fn redirects_followed(&self) -> usize {
        self.count(trouble::MOVED)
    }

    /// How many requests went to the host of [`Behaviour::HostileClaimSource`], on whichever path: none from a client
    /// that does not believe what a token says about where to ask.
    pub fn claim_source_contacted(&self) -> usize {
        self.requests().iter().filter(|request| request.server == Server::ClaimSource).count()
    }

    /// How many requests followed the `@odata.nextLink` of [`Behaviour::GraphNextLinkElsewhere`].
    pub fn next_links_elsewhere_followed(&self) -> usize {
        self.shared.lock().log.entries.iter().filter(|request| graph::is_elsewhere(&request.query)).count()
    }

    /// How many families of refresh tokens died because a used one came back, or the code they go back to.
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
