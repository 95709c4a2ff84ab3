//! The cached groups beside the session: for an hour, encrypted, for the user they belong to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use chrono::TimeDelta;
use kubectl_login::environment::Environment;
use kubectl_login::store::Store;
use sim::{BOB, Behaviour, Server};

use super::{Case, OWN, assert_all, ids};
use crate::common::{ALWAYS, all_below};

/// Makes the look-up so many minutes older.
fn age(case: &Case, minutes: i64) {
    let store = Store::open(Some(case.home.state()), &Environment::default());
    for (id, ..) in store.sessions() {
        let mut record = store.groups(&id).expect("groups beside the session");
        record.at -= TimeDelta::minutes(minutes);
        store.save_groups(&id, &record).unwrap();
    }
}

#[test]
fn graph_look_up_is_cached_for_an_hour() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    assert_all(&case.json(&[]), 201, "graph");
    assert_eq!(case.graph_requests().len(), 1);
    case.world.set_groups(202);
    for more in [&[][..], &["--groups"], &["--filter", "a"]] {
        assert_eq!(case.json(more)["groups"]["count"], 201);
        assert!(case.graph_requests().is_empty());
    }
    age(&case, 59);
    assert_eq!(case.json(&[])["groups"]["count"], 201);
    age(&case, 1);
    assert_eq!(case.json(&[])["groups"]["count"], 202);
    assert_eq!(case.graph_requests().len(), 1);
    case.world.set_groups(203);
    assert_eq!(case.json(&["--refresh"])["groups"]["count"], 203);
    assert_eq!(case.graph_requests().len(), 1);
    // If the clock was set back, the cache does not stay valid for longer.
    age(&case, -5);
    case.world.set_groups(204);
    assert_eq!(case.json(&[])["groups"]["count"], 204);
}

#[test]
fn cluster_look_up_is_cached_per_cluster_with_its_reason() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    case.world.set(Behaviour::GraphNotConsented);
    let first = case.whoami(&[]);
    case.world.reset_requests();
    let again = case.whoami(&[]);
    assert_eq!(again.stdout, first.stdout);
    assert!(first.stderr.contains("they come from the cluster"), "{first}");
    // The warning is repeated only if groups are requested.
    assert_eq!(again.stderr, "", "{again}");
    assert_eq!(case.whoami(&["--groups"]).stderr, first.stderr);
    assert!(case.requests(Server::Entra).is_empty(), "there was another request for a Graph token");
    // Under another name it may be another cluster.
    case.edit_cluster(|cluster| {
        let server = cluster["server"].as_str().unwrap().replace("127.0.0.1", "localhost");
        cluster["server"] = server.into();
    });
    case.whoami(&[]);
    assert_eq!(case.world.refreshes().len(), 1);
}

#[test]
fn incomplete_look_up_is_not_cached() {
    let case = Case::entra(&OWN).paged(2_500).signed_in();
    case.world.set(Behaviour::GraphOnePageFails);
    case.world.set(Behaviour::KubeIgnoresOverage);
    assert_eq!(case.json(&[])["groups"]["complete"], false);
    assert!(case.home.files("groups").is_empty());
    case.world.clear_all();
    assert_all(&case.json(&[]), 2_500, "graph");
}

#[test]
fn cached_groups_are_encrypted_and_private() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    case.json(&["--names"]);
    let kept = case.home.files("groups");
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::metadata(&kept[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(kept[0].parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let ids = sim::group_ids(201);
    for file in all_below(&case.home.state()).into_iter().filter(|path| path.is_file()) {
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let shown = ids.iter().map(String::as_str).chain(["Group 7"]).find(|word| text.contains(word));
        assert_eq!(shown, None, "{}", file.display());
    }
    // A modified record does not count.
    let mut bytes = fs::read(&kept[0]).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&kept[0], bytes).unwrap();
    case.world.reset_requests();
    assert_all(&case.json(&[]), 201, "graph");
    assert_eq!(case.graph_requests(), ["me/getMemberGroups"]);
}

#[test]
fn logout_deletes_cached_groups() {
    for how in [&["logout"][..], &["logout", "--all"]] {
        let case = Case::entra(&OWN).groups(201).signed_in();
        case.json(&[]);
        assert_eq!(case.home.files("groups").len(), 1);
        assert_eq!(case.home.run(how).code, Some(0));
        assert!(case.home.files("groups").is_empty());
    }
}

#[test]
fn other_account_does_not_get_the_cached_groups() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    let first = case.json(&[]);
    assert_all(&first, 201, "graph");
    // The session ends, and another user signs in for the same context, without a group look-up.
    let record = case.home.files("groups").remove(0);
    let first_users = fs::read(&record).unwrap();
    case.world.revoke_all();
    case.home.set_seconds_left(-60);
    case.world.sign_in_as(BOB);
    case.world.set_group_ids(Some(sim::group_ids(210).split_off(5)));
    case.get_token(&ALWAYS);
    assert!(!record.exists(), "the first user's groups were kept");
    // Even if they were kept, they would not count for the second user.
    fs::write(&record, first_users).unwrap();
    case.world.reset_requests();
    let second = case.json(&[]);
    assert_eq!((&second["username"], &second["groups"]["count"]), (&BOB.into(), &205.into()));
    assert_eq!(ids(&second), &sim::group_ids(210)[5..]);
    assert_eq!(case.graph_requests(), ["me/getMemberGroups"]);
}

#[test]
fn unwritable_directory_only_disables_the_cache() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    case.home.write("state/kubectl-login/groups", "in the way");
    assert_all(&case.json(&[]), 201, "graph");
    assert_all(&case.json(&[]), 201, "graph");
    assert_eq!(case.graph_requests().len(), 2);
}

/// With tunnels, kind and minikube, one address can belong to different clusters over time.
#[test]
fn clusters_behind_one_address_have_separate_caches() {
    let case = Case::entra(&[]).groups(201).signed_in();
    let looked_up = |words: &str| {
        case.world.reset_requests();
        let run = case.whoami(&[]);
        assert_eq!(run.code, Some(0), "{words}: {run}");
        !case.world.refreshes().is_empty()
    };
    assert!(looked_up("at first") && !looked_up("from the cache"));
    let pem = format!("# another cluster's\n{}", case.world.ca_pem());
    let file = case.home.write("ca.pem", &pem);
    case.edit_cluster(|cluster| {
        cluster.as_object_mut().unwrap().remove("certificate-authority-data");
        cluster["certificate-authority"] = file.to_str().unwrap().into();
    });
    assert!(looked_up("another certificate authority") && !looked_up("from the cache"));
    case.home.write("ca.pem", &format!("# a third one's\n{}", case.world.ca_pem()));
    assert!(looked_up("another one in the same file"));
    case.edit_cluster(|cluster| cluster["tls-server-name"] = "localhost".into());
    assert!(looked_up("another name on the certificate"));
    case.edit_cluster(|cluster| {
        let cluster = cluster.as_object_mut().unwrap();
        cluster.remove("certificate-authority");
        cluster.insert("insecure-skip-tls-verify".to_owned(), true.into());
    });
    assert!(looked_up("an unchecked certificate") && !looked_up("from the cache"));
}
