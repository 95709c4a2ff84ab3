//! Errors of connections: to the issuer, to a service, to an API server.
//!
//! Source for AKS: <https://learn.microsoft.com/azure/aks/api-server-authorized-ip-ranges>; the public name of a stopped
//! cluster is not resolved.

use url::Url;

use kubectl_login_core::clock;
use kubectl_login_core::http::{
    CertificateProblem, HttpSetupError, ProxyFacts, ProxyFault, ProxySource, RootsProblemKind, RootsSource,
    ServerFacts, TransportError, TransportErrorKind, UnsendableToken, written_out,
};

use super::ErrorMessage;

/// The step for a cluster that is not, or no longer, where the kubeconfig says.
const GET_CREDENTIALS: &str = "If the cluster was deleted, stopped or created again, start it or get its credentials again: az aks get-credentials --resource-group GROUP --name CLUSTER";
/// The step for a private cluster of AKS.
const PRIVATE_CLUSTER: &str = "This AKS cluster is private: connect to its virtual network (VPN), with a DNS server that knows its private DNS zone.";
/// The step for a cluster of AKS that does not answer.
const IP_RANGES: &str =
    "If the cluster has authorised IP ranges, ask its administrator to add the address of this network.";

/// Which server a request was for: it decides where its address is configured, and who can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The issuer or authority that signs users in.
    Issuer,
    /// A service of this name, whose address is not configured by the user.
    Service(&'static str),
    /// The API server of a kubeconfig's cluster.
    ApiServer,
}

const CHECK_NETWORK: &str = "Check the network, VPN and proxy (HTTPS_PROXY, NO_PROXY), then try again.";
const CHECK_CLUSTER: &str =
    "Check that the cluster is running, and the network, VPN and proxy (HTTPS_PROXY, NO_PROXY).";

/// A connection that failed for a user who wanted `purpose` ("sign in", "refresh the token") of `peer`.
pub fn transport_error(error: &TransportError, purpose: &str, peer: Peer) -> ErrorMessage {
    ErrorMessage::failed(format!("cannot {purpose}: {error}"), steps(error, peer).join("\n"))
}

impl From<HttpSetupError> for ErrorMessage {
    fn from(error: HttpSetupError) -> ErrorMessage {
        let next = setup_step(&error);
        match error {
            HttpSetupError::InvalidHeader(_) => ErrorMessage::usage(error.to_string(), next),
            _ => ErrorMessage::failed(error.to_string(), next),
        }
    }
}

impl From<UnsendableToken> for ErrorMessage {
    fn from(error: UnsendableToken) -> ErrorMessage {
        ErrorMessage::failed(error.to_string(), "Check the issuer: it sent a token that is not valid.")
    }
}

fn setup_step(error: &HttpSetupError) -> String {
    let step = match error {
        HttpSetupError::Roots(problem) => match (&problem.kind, &problem.place) {
            (RootsProblemKind::Unreadable(_), _) => "Check the path and its permissions.",
            (_, RootsSource::Data) => {
                "Give --certificate-authority-data base64 of a PEM file that holds at least one certificate."
            }
            (_, _) => "Give a PEM file (or base64 of one) that holds at least one certificate.",
        },
        HttpSetupError::NoRoots(_) => {
            "Install the system's certificate authorities. On Debian: apt-get install ca-certificates\nOr name a file of them with SSL_CERT_FILE or --certificate-authority."
        }
        HttpSetupError::InvalidProxy(setting) | HttpSetupError::UnsupportedProxy { setting, .. } => {
            return format!("Correct {setting}: an http, https or socks5 address, such as http://proxy.example:3128.");
        }
        HttpSetupError::InvalidServerName(_) => {
            "Set the name that the API server's certificate is for, in the kubeconfig cluster's tls-server-name."
        }
        HttpSetupError::InvalidHeader(_) => {
            "Write it as --oidc-request-header=NAME=VALUE, with visible characters only."
        }
        HttpSetupError::UnusableClientCertificate => "Get a new kubeconfig from the cluster's administrator.",
        HttpSetupError::Tls(_) | HttpSetupError::Client(_) => {
            "Check the settings of proxies and certificates, then try again."
        }
    };
    step.to_owned()
}

/// What to do next, the likeliest first.
fn steps(error: &TransportError, peer: Peer) -> Vec<String> {
    let host = Url::parse(&error.origin).ok().and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default();
    let mut steps = if peer == Peer::ApiServer { api_server_steps(error, &host) } else { Vec::new() };
    match (&error.kind, &error.proxy) {
        (TransportErrorKind::Proxy(fault), Some(proxy)) => {
            steps.push(proxy_step(fault, proxy));
            // Said already of a private server.
            if steps.len() == 1 {
                steps.push(without_proxy_step(proxy, &host));
            }
        }
        (TransportErrorKind::Certificate(problem), _) => steps.push(certificate_steps(problem, peer)),
        (kind, _) => steps.push(step(kind, peer)),
    }
    steps
}

/// What the address of an API server tells about the reason.
fn api_server_steps(error: &TransportError, host: &str) -> Vec<String> {
    let facts = ServerFacts::from_host(host);
    let mut steps = Vec::new();
    if let Some(ProxyFacts { origin, source: ProxySource::Variable(name), .. }) = error.proxy.as_deref()
        && facts.is_private
        && !matches!(error.kind, TransportErrorKind::Certificate(_))
    {
        steps.push(format!("{host} is private: add it to NO_PROXY, unless the proxy {origin} ({name}) leads there."));
    }
    let is_unanswered = matches!(error.kind, TransportErrorKind::NameNotFound(_) | TransportErrorKind::Timeout);
    if facts.is_aks && facts.is_private && is_unanswered {
        steps.push(PRIVATE_CLUSTER.to_owned());
    }
    match error.kind {
        TransportErrorKind::NameNotFound(_) if facts.is_aks => steps.push(GET_CREDENTIALS.to_owned()),
        TransportErrorKind::Timeout if facts.is_aks && !facts.is_private => steps.push(IP_RANGES.to_owned()),
        _ => {}
    }
    steps
}

/// The step for an error that is neither the certificate's nor a known proxy's.
fn step(kind: &TransportErrorKind, peer: Peer) -> String {
    let step = match (kind, peer) {
        (TransportErrorKind::Unavailable(_), _) => "Try again in a moment.",
        (TransportErrorKind::Timeout, Peer::Issuer | Peer::Service(_)) => {
            return format!(
                "{CHECK_NETWORK}\nTo give a slow network more time, add --timeout=60s to the kubeconfig user's exec.args."
            );
        }
        (TransportErrorKind::Oversized(_), Peer::Issuer) => {
            "Check the issuer or authority URL and the proxy: the response is not that of a sign-in server."
        }
        (TransportErrorKind::Oversized(_), Peer::ApiServer) => {
            "Check the kubeconfig cluster's server: it may not be a Kubernetes API server."
        }
        (TransportErrorKind::Redirect, Peer::Issuer) => {
            "Check the issuer or authority URL, and for a captive portal or a proxy in between."
        }
        (TransportErrorKind::Redirect, Peer::ApiServer) => {
            "Check the kubeconfig cluster's server, and for a captive portal or a proxy in between."
        }
        (TransportErrorKind::Oversized(_) | TransportErrorKind::Redirect, Peer::Service(name)) => {
            return format!("Check the proxy, and for anything else between this machine and {name}.");
        }
        (TransportErrorKind::Url, Peer::Issuer) => "Use an https URL for the issuer or authority.",
        (TransportErrorKind::Url, Peer::ApiServer) => "Set an https URL in the kubeconfig cluster's server.",
        (TransportErrorKind::Url, Peer::Service(name)) => {
            return format!("Ask your administrator for an address of {name} that begins with https.");
        }
        (_, Peer::ApiServer) => CHECK_CLUSTER,
        (_, Peer::Issuer | Peer::Service(_)) => CHECK_NETWORK,
    };
    step.to_owned()
}

fn proxy_step(fault: &ProxyFault, proxy: &ProxyFacts) -> String {
    let setting = &proxy.source;
    match fault {
        ProxyFault::Unreachable(_) | ProxyFault::Timeout => {
            format!("Check {setting}, and the network or VPN that the proxy is in.")
        }
        ProxyFault::NotAProxy(_) => format!("Check {setting}: scheme, host and port."),
        ProxyFault::Credentials if proxy.has_credentials => {
            format!("Correct the user name and password in {setting}; special characters are percent-encoded there.")
        }
        ProxyFault::Credentials => {
            format!("Set user name and password in {setting}, such as http://USER:PASSWORD@proxy.example:3128.")
        }
        ProxyFault::Status(500..) => "Check the server's name, then try again in a moment.".to_owned(),
        ProxyFault::Status(_) | ProxyFault::Reply(_) => {
            "Ask the proxy's administrator to allow this connection.".to_owned()
        }
    }
}

/// The step for a server at `host` that should not be behind this proxy.
fn without_proxy_step(proxy: &ProxyFacts, host: &str) -> String {
    match proxy.source {
        ProxySource::Variable(_) => format!("If {host} is to be reached without a proxy, add it to NO_PROXY."),
        ProxySource::Cluster => "If the API server is to be reached without a proxy, remove proxy-url.".to_owned(),
    }
}

fn certificate_steps(problem: &CertificateProblem, peer: Peer) -> String {
    let (admin, address) = match peer {
        Peer::Issuer => ("the issuer's administrator", "the issuer or authority URL"),
        Peer::Service(_) => ("your administrator", "the proxy"),
        Peer::ApiServer => ("the cluster's administrator", "the kubeconfig cluster's server"),
    };
    let clock = format!("this machine's date and time: it is {} here", written_out(clock::now()));
    match problem {
        CertificateProblem::Expired(_) => format!("Ask {admin} to renew the certificate.\nCheck {clock}."),
        CertificateProblem::NotYetValid(_) => {
            format!("Check {clock}.\nIf that is right, ask {admin} for a certificate that is valid now.")
        }
        CertificateProblem::OtherName(_) => {
            let server_name = match peer {
                Peer::ApiServer => {
                    "\nIf the API server is reached by a name that is not in its certificate, set the kubeconfig cluster's tls-server-name."
                }
                _ => "",
            };
            format!(
                "A different server may be answering, such as a captive portal: open any page in a browser and sign in to the network.\nCheck {address}.{server_name}"
            )
        }
        CertificateProblem::UnknownSigner { useless, .. } => {
            let correct = match useless.is_empty() {
                true => "",
                false => "Correct SSL_CERT_FILE or SSL_CERT_DIR: the certificates it should name are missing.\n",
            };
            let authority = match peer {
                Peer::ApiServer => {
                    "Check the kubeconfig cluster's certificate-authority: a cluster that was created again has another one."
                }
                _ => {
                    "If that is your company's, such as a proxy that inspects TLS, name its certificate authority with --certificate-authority FILE in the kubeconfig user's exec.args, or with SSL_CERT_FILE.\nIf you do not know it, do not trust it: ask your administrator."
                }
            };
            format!("{correct}{authority}")
        }
        CertificateProblem::NotOfSession { .. } => {
            "If that is your company's authority, sign in: kubectl login\nIf you do not know it, do not sign in: remove SSL_CERT_FILE and SSL_CERT_DIR from the kubeconfig user's exec.env.".to_owned()
        }
        CertificateProblem::Other(_) => format!("Check {address}, and {clock}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        Url::parse("https://host/path").expect("a URL")
    }

    #[test]
    fn next_step_depends_on_the_peer() {
        for kind in [TransportErrorKind::Oversized(1), TransportErrorKind::Redirect, TransportErrorKind::Url] {
            let next = |peer| transport_error(&TransportError::new(&url(), kind.clone()), "ask", peer).next;
            assert!(next(Peer::Issuer).contains("issuer or authority"), "{kind:?}");
            assert!(next(Peer::ApiServer).contains("kubeconfig cluster's server"), "{kind:?}");
            let service = next(Peer::Service("Microsoft Graph"));
            assert!(service.contains("Microsoft Graph") && !service.contains("issuer"), "{kind:?}: {service}");
        }
        // The time limit of an API server cannot be set.
        let next = |peer| transport_error(&TransportError::new(&url(), TransportErrorKind::Timeout), "ask", peer).next;
        assert!(next(Peer::Issuer).contains("--timeout") && !next(Peer::ApiServer).contains("--timeout"));
    }

    #[test]
    fn certificate_for_another_name_is_not_advised_to_be_trusted() {
        let problem = CertificateProblem::OtherName(vec!["a.example".to_owned()]);
        let error = TransportError::new(&url(), TransportErrorKind::Certificate(problem));
        let next = transport_error(&error, "sign in", Peer::Issuer).next;
        assert!(!next.contains("--certificate-authority") && !next.contains("insecure"), "{next}");
    }

    #[test]
    fn proxy_step_names_the_setting() {
        let facts = |source, has_credentials| ProxyFacts { origin: "http://p:1".to_owned(), source, has_credentials };
        let environment = facts(ProxySource::Variable("https_proxy".into()), true);
        let next = proxy_step(&ProxyFault::Credentials, &environment);
        assert!(next.starts_with("Correct the user name and password in https_proxy;"), "{next}");
        let direct = without_proxy_step(&environment, "host");
        assert_eq!(direct, "If host is to be reached without a proxy, add it to NO_PROXY.");
        let cluster = facts(ProxySource::Cluster, false);
        let next = proxy_step(&ProxyFault::Credentials, &cluster);
        assert!(next.starts_with("Set user name and password in the kubeconfig cluster's proxy-url,"), "{next}");
        assert!(!without_proxy_step(&cluster, "host").contains("NO_PROXY"));
    }
}
