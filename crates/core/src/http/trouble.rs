//! Why there is no answer, and what to do about it, which depends on who was asked.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::aks::{self, ServerFacts};
use super::certificate::CertificateProblem;
use super::origin;
use super::proxy::ProxySource;
use super::proxy_fault::{ProxyFacts, ProxyFault};
use crate::error::Error;

/// Why there is no answer. What it means to the user depends on what was wanted and of whom, so callers give it words with
/// [`Trouble::explain`].
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Scheme, host and port that were asked.
    pub origin: String,
    /// What went wrong.
    pub cause: Cause,
    /// How long the server asks to wait before the next try.
    pub retry_after: Option<Duration>,
    /// The proxy that the request went through.
    pub proxy: Option<Box<ProxyFacts>>,
}

/// What can go wrong between a request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No answer within the deadline.
    Timeout,
    /// The server's name could not be looked up.
    NameNotFound(String),
    /// The connection could not be made.
    Connection(String),
    /// The proxy in front of the server is at fault.
    Proxy(ProxyFault),
    /// The connection broke; what was asked may have been heard.
    Broken(String),
    /// The server's certificate was not accepted.
    Certificate(CertificateProblem),
    /// The answer is longer than so many MiB.
    Oversized(usize),
    /// The server wants the request sent elsewhere, which is refused.
    Redirect,
    /// The URL is neither https nor http on loopback.
    Url,
    /// HTTP 429 or 5xx to the end.
    Unavailable(u16),
}

/// Who was asked: where its address stands, and who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Whoever signs people in: the entry's issuer or authority.
    Issuer,
    /// A service of this name, whose address nobody has typed.
    Service(&'static str),
    /// The API server of a kubeconfig's cluster.
    ApiServer,
}

impl Trouble {
    /// Trouble with the server at `url`.
    pub fn with(url: &Url, cause: Cause) -> Self {
        Trouble { origin: origin(url), cause, retry_after: None, proxy: None }
    }

    /// Whether another try may end better: what a long wait, such as polling, goes on after.
    pub fn passes(&self) -> bool {
        match &self.cause {
            Cause::Timeout
            | Cause::NameNotFound(_)
            | Cause::Connection(_)
            | Cause::Broken(_)
            | Cause::Unavailable(_) => true,
            Cause::Proxy(fault) => fault.passes(),
            Cause::Certificate(_) | Cause::Oversized(_) | Cause::Redirect | Cause::Url => false,
        }
    }

    /// The error for a user who wanted `what` ("sign in", "refresh the token") of whoever was `asked`.
    pub fn explain(&self, what: &str, asked: Asked) -> Error {
        Error::failed(format!("cannot {what}: {self}"), self.next(asked))
    }

    /// What to do next, a step a line, the likeliest first.
    fn next(&self, asked: Asked) -> String {
        let host = Url::parse(&self.origin).ok().and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default();
        let mut steps = Vec::new();
        if asked == Asked::ApiServer {
            steps.extend(self.api_server_steps(&host));
        }
        match (&self.cause, &self.proxy) {
            (Cause::Proxy(fault), Some(proxy)) => {
                steps.push(fault.next(proxy));
                // Said already of a private server.
                if steps.len() == 1 {
                    steps.push(proxy.directly(&host));
                }
            }
            (cause, _) => steps.push(cause.next(asked)),
        }
        steps.join("\n")
    }

    /// What the address of an API server tells of the reason.
    fn api_server_steps(&self, host: &str) -> Vec<String> {
        let facts = ServerFacts::of_host(host);
        let mut steps = Vec::new();
        if let Some(ProxyFacts { origin, source: ProxySource::Variable(name), .. }) = self.proxy.as_deref()
            && facts.is_private
            && !matches!(self.cause, Cause::Certificate(_))
        {
            steps.push(format!(
                "{host} is private: add it to NO_PROXY, unless the proxy {origin} ({name}) leads there."
            ));
        }
        if facts.is_aks && facts.is_private && matches!(self.cause, Cause::NameNotFound(_) | Cause::Timeout) {
            steps.push(aks::PRIVATE_CLUSTER.to_owned());
        }
        match self.cause {
            Cause::NameNotFound(_) if facts.is_aks => steps.push(aks::GET_CREDENTIALS.to_owned()),
            Cause::Timeout if facts.is_aks && !facts.is_private => steps.push(aks::IP_RANGES.to_owned()),
            _ => {}
        }
        steps
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = &self.origin;
        match &self.cause {
            Cause::Timeout => write!(f, "{origin} did not answer in time"),
            Cause::NameNotFound(detail) | Cause::Connection(detail) => {
                write!(f, "{origin} cannot be reached: {detail}")
            }
            Cause::Proxy(fault) => match &self.proxy {
                Some(proxy) => f.write_str(&fault.sentence(proxy, origin)),
                None => write!(f, "the proxy {fault}"),
            },
            Cause::Broken(detail) => write!(f, "the connection to {origin} broke: {detail}"),
            Cause::Certificate(problem) => f.write_str(&problem.sentence(origin)),
            Cause::Oversized(cap) => write!(f, "the answer of {origin} is larger than {cap} MiB"),
            Cause::Redirect => {
                write!(f, "{origin} redirects this request, which is not followed because it carries secrets")
            }
            Cause::Url => write!(f, "{origin} is refused: only https is allowed (http only on this machine)"),
            Cause::Unavailable(status) => write!(f, "{origin} is not available (HTTP {status})"),
        }
    }
}

impl std::error::Error for Trouble {}

impl Cause {
    /// Whether time was up.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Cause::Timeout | Cause::Proxy(ProxyFault::Timeout))
    }

    /// What to do next about the cause alone.
    fn next(&self, asked: Asked) -> String {
        match (self, asked) {
            (
                Cause::Timeout | Cause::NameNotFound(_) | Cause::Connection(_) | Cause::Broken(_) | Cause::Proxy(_),
                Asked::ApiServer,
            ) => {
                "Check that the cluster is running, and the network, VPN and proxy (HTTPS_PROXY, NO_PROXY).".to_owned()
            }
            (Cause::Timeout, _) => format!(
                "{CHECK_THE_NETWORK}\nTo give a slow network more time, add --timeout=60s to the kubeconfig user's exec.args."
            ),
            (Cause::NameNotFound(_) | Cause::Connection(_) | Cause::Broken(_) | Cause::Proxy(_), _) => {
                CHECK_THE_NETWORK.to_owned()
            }
            (Cause::Certificate(problem), asked) => problem.next(asked),
            (Cause::Oversized(_), Asked::Issuer) => {
                "Check the issuer or authority URL and the proxy: what answers is no sign-in server.".to_owned()
            }
            (Cause::Oversized(_), Asked::ApiServer) => {
                "Check the kubeconfig cluster's server: what answers may be no Kubernetes API server.".to_owned()
            }
            (Cause::Redirect, Asked::Issuer) => between("the issuer or authority URL"),
            (Cause::Redirect, Asked::ApiServer) => between("the kubeconfig cluster's server"),
            (Cause::Oversized(_) | Cause::Redirect, Asked::Service(name)) => {
                format!("Check the proxy, and whether something stands between this machine and {name}.")
            }
            (Cause::Url, Asked::Issuer) => "Use an https URL for the issuer or authority.".to_owned(),
            (Cause::Url, Asked::Service(name)) => {
                format!("Ask whoever gave you the address of {name} for one that begins with https.")
            }
            (Cause::Url, Asked::ApiServer) => "Set an https URL in the kubeconfig cluster's server.".to_owned(),
            (Cause::Unavailable(_), _) => "Try again in a moment.".to_owned(),
        }
    }
}

/// What to do when a connection does not hold.
const CHECK_THE_NETWORK: &str = "Check the network, VPN and proxy (HTTPS_PROXY, NO_PROXY), then try again.";

fn between(address: &str) -> String {
    format!("Check {address}, and whether a captive portal or a proxy stands in between.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_passes_at_the_server_and_at_its_proxy() {
        let url = Url::parse("https://host/path").expect("a URL");
        let passes = |cause| Trouble::with(&url, cause).passes();
        assert!(passes(Cause::Timeout) && passes(Cause::Proxy(ProxyFault::Timeout)));
        assert!(!passes(Cause::Proxy(ProxyFault::Credentials)) && !passes(Cause::Redirect));
    }

    #[test]
    fn the_next_step_is_about_whoever_was_asked() {
        let url = Url::parse("https://host/path").expect("a URL");
        for cause in [Cause::Oversized(1), Cause::Redirect, Cause::Url] {
            let next = |asked| Trouble::with(&url, cause.clone()).explain("ask", asked).next;
            assert!(next(Asked::Issuer).contains("issuer or authority"), "{cause:?}");
            assert!(next(Asked::ApiServer).contains("kubeconfig cluster's server"), "{cause:?}");
            let service = next(Asked::Service("Microsoft Graph"));
            assert!(service.contains("Microsoft Graph") && !service.contains("issuer"), "{cause:?}: {service}");
        }
        // How long the API server may take is nobody's to choose.
        let next = |asked| Trouble::with(&url, Cause::Timeout).explain("ask", asked).next;
        assert!(next(Asked::Issuer).contains("--timeout") && !next(Asked::ApiServer).contains("--timeout"));
    }
}
