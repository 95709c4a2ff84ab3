//! `whoami`: the user in the token, the cluster's view, and the groups, beyond the 200 in a token; and what `kubectl
//! login`
//! prints about groups.
#![cfg(unix)]

mod cache;
mod changes;
mod cluster;
mod formats;
mod graph;
mod issuers;
mod kubectl;
mod second_client;
mod secrets;
mod sizes;
mod terminal;

use crate::common::{ALWAYS, Home, JSON, Run, V1, entra, oidc};
use serde_json::Value;
use sim::{Behaviour, Request, Server, World};

/// The tenant's own client, which can use Graph; AKS kubeconfigs name another one.
const OWN: [&str; 2] = ["--client-id", sim::OWN_CLIENT];
/// The permission that a client needs for Graph, as named in messages.
const PERMISSION: &str = "GroupMember.Read.All";

/// A world, and a home directory with a kubeconfig for its cluster.
struct Case {
    world: World,
    home: Home,
}

impl Case {
    /// A context of the Entra-shaped tenant, as in an AKS kubeconfig, with `more` flags. Without a session.
    fn entra(more: &[&str]) -> Case {
        let case = Case { world: World::start(), home: Home::new() };
        case.context(&entra(&case.world, more));
        case
    }

    /// A context of the plain issuer.
    fn oidc(more: &[&str]) -> Case {
        let case = Case { world: World::start(), home: Home::new() };
        case.context(&oidc(&case.world, more));
        case
    }

    /// Sets the context's arguments.
    fn context(&self, args: &[String]) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.home.write(".kube/config", &self.world.kubeconfig("kubectl-login", &args, V1));
    }

    /// Makes the user a member of so many groups.
    fn groups(self, count: usize) -> Case {
        self.world.set_groups(count);
        self
    }

    /// The same, but Graph returns them only in pages, as it does for more than 11,000.
    fn paged(self, count: usize) -> Case {
        self.world.set(Behaviour::GraphMemberGroupsForbidden);
        self.groups(count)
    }

    /// Signs in without a group look-up. Clears the world's log.
    fn signed_in(self) -> Case {
        self.get_token(&ALWAYS);
        self.world.reset_requests();
        self
    }

    /// Runs the command that kubectl would run.
    fn get_token(&self, more: &[&str]) -> Run {
        let kubeconfig = self.kubeconfig();
        let args = kubeconfig["users"][0]["user"]["exec"]["args"].as_array().unwrap();
        let args: Vec<&str> = args.iter().map(|word| word.as_str().unwrap()).chain(more.iter().copied()).collect();
        let run = self.home.run(&args);
        run.token();
        run
    }

    fn kubeconfig(&self) -> Value {
        serde_saphyr::from_str(&std::fs::read_to_string(self.home.path().join(".kube/config")).unwrap()).unwrap()
    }

    /// Rewrites the kubeconfig, with a changed cluster.
    fn edit_cluster(&self, change: impl FnOnce(&mut Value)) {
        let mut kubeconfig = self.kubeconfig();
        change(&mut kubeconfig["clusters"][0]["cluster"]);
        self.home.write(".kube/config", &kubeconfig.to_string());
    }

    fn whoami(&self, more: &[&str]) -> Run {
        self.home.run(&[&["whoami"], more].concat())
    }

    /// The output of `whoami -o json`, which must succeed.
    #[track_caller]
    fn json(&self, more: &[&str]) -> Value {
        let run = self.whoami(&[&JSON, more].concat());
        assert_eq!(run.code, Some(0), "{run}");
        run.object()
    }

    /// The paths of the requests to Graph since the last call, without the version.
    fn graph_requests(&self) -> Vec<String> {
        let asked = self.requests(Server::Graph);
        self.world.reset_requests();
        asked.iter().map(|request| request.path.trim_start_matches("/v1.0/").to_owned()).collect()
    }

    fn requests(&self, server: Server) -> Vec<Request> {
        self.world.requests().into_iter().filter(|request| request.server == server).collect()
    }
}

/// The ids of the groups.
fn ids(whoami: &Value) -> Vec<&str> {
    whoami["groups"]["items"].as_array().unwrap().iter().map(|group| group["id"].as_str().unwrap()).collect()
}

/// Asserts the number and the source of the groups, and that all of them are listed.
#[track_caller]
fn assert_all(whoami: &Value, count: usize, source: &str) {
    let groups = &whoami["groups"];
    assert_eq!((&groups["count"], &groups["source"]), (&count.into(), &source.into()));
    assert_eq!(groups["complete"], true);
    assert_eq!(groups["overage"], count > 200);
    assert!(ids(whoami) == sim::group_ids(count), "not the {count} groups");
}
