//! `whoami --explain`: what users read after kubectl has said Forbidden, on a cluster with real roles and bindings.
#![cfg(unix)]

mod failures;
mod groups;
mod names;
mod objects;
mod reasons;
mod remedies;
mod screens;

use crate::common::{Home, PLUGIN, Run, V1BETA1, entra, oidc};
use serde_json::{Value, json};
use sim::{Behaviour, World};

/// A cluster with roles, and a user who is signed in to it. The context's namespace is `dev`.
struct Case {
    world: World,
    home: Home,
}

impl Case {
    /// With the client in AKS kubeconfigs, in a world with these behaviours.
    fn aks(behaviours: &[Behaviour]) -> Case {
        Case::signed_in(World::start_with(behaviours), sim::CLIENT)
    }

    /// With a client that can use Graph, for a user in `groups` groups.
    fn own_client(groups: usize, behaviours: &[Behaviour]) -> Case {
        let world = World::start_with(behaviours);
        world.set_groups(groups);
        Case::signed_in(world, sim::OWN_CLIENT)
    }

    /// At the plain issuer, in a world with these behaviours.
    fn plain_issuer(behaviours: &[Behaviour]) -> Case {
        let world = World::start_with(behaviours);
        let args = oidc(&world, &[]);
        let case = Case::with(world, &args);
        case.home.run(&[args, vec!["--prompt".to_owned(), "always".to_owned()]].concat()).token();
        case
    }

    fn signed_in(world: World, client: &str) -> Case {
        let case = Case::new(world, client);
        case.home.run(&entra(&case.world, &["--client-id", client, "--prompt", "always"])).token();
        case
    }

    /// Without a sign-in.
    fn new(world: World, client: &str) -> Case {
        let args = entra(&world, &["--client-id", client]);
        Case::with(world, &args)
    }

    fn with(world: World, args: &[String]) -> Case {
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let kubeconfig = world.kubeconfig(PLUGIN, &words, V1BETA1);
        let home = Home::new();
        home.write(
            ".kube/config",
            &kubeconfig.replace("    user: sim-user\n", "    user: sim-user\n    namespace: dev\n"),
        );
        world.apply(json!([
            role("", "view", &["get", "list", "watch"], "", &["pods", "pods/log"]),
            role("", "edit", &["*"], "", &["pods"]),
        ]));
        Case { world, home }
    }

    /// Binds a cluster role, in a namespace or (without one) in the whole cluster.
    fn bind(&self, name: &str, namespace: &str, role: &str, kind: &str, subject: &str) {
        self.world.apply(binding(name, namespace, ("ClusterRole", role), &[(kind, subject)]));
    }

    fn run(&self, words: &[&str]) -> Run {
        self.home.run(&[&["whoami", "--explain"], words].concat())
    }

    /// The printed paragraphs, without the empty lines between them, which the screens show.
    #[track_caller]
    fn lines(&self, words: &[&str]) -> Vec<String> {
        let run = self.run(words);
        assert_eq!(run.code, Some(0), "{run}");
        let mut lines: Vec<_> = run.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let place = lines.remove(1);
        assert!(place.starts_with("In context \"sim\", cluster \"sim\", "), "the context is missing: {run}");
        lines
    }

    /// Asserts all printed paragraphs.
    #[track_caller]
    fn assert_lines(&self, words: &[&str], lines: &[&str]) {
        assert_eq!(self.lines(words), lines);
    }

    /// The first paragraph, which has the decision.
    #[track_caller]
    fn decision(&self, words: &[&str]) -> String {
        self.lines(words).swap_remove(0)
    }

    /// The explanation in JSON.
    #[track_caller]
    fn record(&self, words: &[&str]) -> Value {
        let run = self.run(&[words, &["-o", "json"]].concat());
        assert_eq!(run.code, Some(0), "{run}");
        let mut whole = run.object();
        assert_eq!(whole["kind"], "WhoAmI");
        whole["explain"].take()
    }
}

/// A role with one rule, in a namespace or (without one) for the cluster.
fn role(namespace: &str, name: &str, verbs: &[&str], group: &str, resources: &[&str]) -> Value {
    let rule = json!({ "verbs": verbs, "apiGroups": [group], "resources": resources });
    let kind = if namespace.is_empty() { "ClusterRole" } else { "Role" };
    json!({ "kind": kind, "metadata": { "name": name, "namespace": namespace }, "rules": [rule] })
}

/// A binding of a role to some subjects.
fn binding(name: &str, namespace: &str, (kind, role): (&str, &str), subjects: &[(&str, &str)]) -> Value {
    let binding = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
    let subjects: Vec<_> = subjects.iter().map(|(kind, name)| json!({ "kind": kind, "name": name })).collect();
    json!({
        "kind": binding, "metadata": { "name": name, "namespace": namespace },
        "roleRef": { "kind": kind, "name": role }, "subjects": subjects,
    })
}

/// The object id of a group, counted from 1.
fn group(number: usize) -> String {
    sim::group_ids(number).swap_remove(number - 1)
}
