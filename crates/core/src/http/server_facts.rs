//! What the address of an API server tells about its cluster: AKS, and private networks.
//!
//! Source: <https://learn.microsoft.com/azure/aks/private-clusters>.

use std::net::IpAddr;

use url::Host;

/// The zones in which AKS names its API servers, by cloud.
const ZONES: [&str; 3] = [".azmk8s.io", ".cx.prod.service.azk8s.cn", ".cx.aks.containerservice.azure.us"];

/// What is known about an API server by its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// It belongs to AKS.
    pub is_aks: bool,
    /// It can be reached only from a private network: a cluster behind Private Link, or an address of RFC 1918 or RFC 4193.
    pub is_private: bool,
}

impl ServerFacts {
    /// Reads the facts from `host`, a name or an address.
    pub fn from_host(host: &str) -> ServerFacts {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_aks = ZONES.iter().any(|zone| host.ends_with(zone));
        let is_private = match Host::parse(&host) {
            Ok(Host::Ipv4(address)) => address.is_private(),
            Ok(Host::Ipv6(address)) => match IpAddr::from(address).to_canonical() {
                IpAddr::V4(address) => address.is_private(),
                IpAddr::V6(address) => address.is_unique_local(),
            },
            _ => is_aks && host.split('.').any(|label| label == "privatelink"),
        };
        ServerFacts { is_aks, is_private }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aks_and_private_hosts_are_recognised() {
        for (host, is_aks, is_private) in [
            ("prod-1a2b3c4d.hcp.westeurope.azmk8s.io", true, false),
            ("PROD-1a2b3c4d.hcp.westeurope.azmk8s.io.", true, false),
            ("prod-1a2b3c4d.0f1e2d3c.privatelink.westeurope.azmk8s.io", true, true),
            ("prod.privatelink.chinaeast2.cx.prod.service.azk8s.cn", true, true),
            ("prod.hcp.usgovvirginia.cx.aks.containerservice.azure.us", true, false),
            ("azmk8s.io.example.com", false, false),
            ("notazmk8s.io", false, false),
            ("privatelink.example.com", false, false),
            ("10.0.0.4", false, true),
            ("172.31.0.1", false, true),
            ("172.32.0.1", false, false),
            ("[fd12::1]", false, true),
            ("20.1.2.3", false, false),
        ] {
            assert_eq!(ServerFacts::from_host(host), ServerFacts { is_aks, is_private }, "{host}");
        }
    }
}
