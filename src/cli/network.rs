//! Network settings: flags and variables become a [`Network`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;

use kubectl_login::environment::{self, Environment};
use kubectl_login::paths;
use kubectl_login_core::http::ca_file::CaFile;
use kubectl_login_core::http::network::{EnvironmentRoots, Network, Proxies, ProxyVariable};

use super::args::GetTokenArgs;

/// The certificate authorities that the environment names. Paths are made absolute, because they are part of the name under
/// which tokens are stored.
fn environment_roots(environment: &Environment) -> EnvironmentRoots {
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let folders = environment.get_os(environment::SSL_CERT_DIR).map(|list| std::env::split_paths(list).collect());
    let folders: Vec<PathBuf> = folders.unwrap_or_default();
    EnvironmentRoots {
        file: environment.get_os(environment::SSL_CERT_FILE).map(|file| absolute(file.into())),
        folders: folders.into_iter().filter(|folder| !folder.as_os_str().is_empty()).map(absolute).collect(),
    }
}

/// The settings of the environment alone: for an API server whose user does not sign in with this plugin.
pub(super) fn from_environment(environment: &Environment) -> Network {
    Network { environment_roots: environment_roots(environment), proxies: proxies(environment), ..Network::default() }
}

/// The certificate authority files that a command has read: each once, however many kubeconfig entries name it.
#[derive(Default)]
pub(super) struct CaFiles(RefCell<HashMap<PathBuf, CaFile>>);

impl CaFiles {
    /// With `files`, which have been read.
    pub(super) fn knowing(files: &[CaFile]) -> CaFiles {
        let known = files.iter().map(|file| (file.path().to_owned(), file.clone()));
        CaFiles(RefCell::new(known.collect()))
    }

    fn read(&self, path: PathBuf) -> CaFile {
        let mut known = self.0.borrow_mut();
        known.entry(path).or_insert_with_key(|path| CaFile::read(path.clone())).clone()
    }
}

/// The settings for the issuer.
pub(super) fn from_flags(args: &GetTokenArgs, environment: &Environment, files: &CaFiles) -> Network {
    let file = |path: &String| files.read(paths::expand_home(path, environment));
    Network {
        ca_files: args.certificate_authority.iter().map(file).collect(),
        ca_data: args.certificate_authority_data.clone(),
        insecure: args.insecure_skip_tls_verify.unwrap_or(false),
        timeout: args.timeout,
        ..from_environment(environment)
    }
}

/// The proxies that the environment names, looked up as Go's `golang.org/x/net/http/httpproxy` does. `ALL_PROXY`, which Go
/// does not know, counts where the variable of the scheme is unset.
fn proxies(environment: &Environment) -> Proxies {
    let first = |names: &[&'static str]| {
        names.iter().find_map(|name| Some(ProxyVariable { name, address: environment.get(name)?.to_owned() }))
    };
    let http = || first(&[environment::HTTP_PROXY, "http_proxy", environment::ALL_PROXY, "all_proxy"]);
    Proxies {
        https: first(&[environment::HTTPS_PROXY, "https_proxy", environment::ALL_PROXY, "all_proxy"]),
        // In a CGI program, HTTP_PROXY is the request's header `Proxy`, which any client can send (CVE-2016-5385).
        http: if environment.get(environment::REQUEST_METHOD).is_none() { http() } else { None },
        no_proxy: first(&[environment::NO_PROXY, "no_proxy"]).map(|variable| variable.address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_read_once_for_all_entries_of_a_command() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        let (files, other_command) = (CaFiles::default(), CaFiles::default());
        std::fs::write(&path, "one").expect("a file");
        let first = files.read(path.clone());
        std::fs::write(&path, "two").expect("a file");
        assert_eq!(files.read(path.clone()), first);
        assert_ne!(other_command.read(path), first);
    }

    #[test]
    fn proxy_variables_are_looked_up_as_go_does() {
        let found = |variables: &[(&str, &str)]| {
            let Proxies { https, http, no_proxy } = proxies(&Environment::from_iter(variables.iter().copied()));
            let shown =
                |variable: Option<ProxyVariable>| variable.map(|found| format!("{}={}", found.name, found.address));
            (shown(https), shown(http), no_proxy)
        };
        let some = |text: &str| Some(text.to_owned());
        let both = [("HTTPS_PROXY", "a"), ("https_proxy", "b"), ("no_proxy", "x"), ("NO_PROXY", "")];
        assert_eq!(found(&both), (some("HTTPS_PROXY=a"), None, some("x")));
        let all = [("HTTPS_PROXY", ""), ("https_proxy", "b"), ("ALL_PROXY", "c")];
        assert_eq!(found(&all), (some("https_proxy=b"), some("ALL_PROXY=c"), None));
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "a"), ("https_proxy", "b")];
        assert_eq!(found(&cgi), (some("https_proxy=b"), None, None));
    }
}
