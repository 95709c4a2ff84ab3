//! Groups are remembered beside the session: for an hour, sealed, for whom they belong to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use chrono::TimeDelta;
use kubectl_login::environment::Environment;
use kubectl_login::store::Store;
use sim::{BOB, Behaviour, Server};

use super::{Case, OWN, assert_all, ids};
use crate::common::{ALWAYS, all_below};

/// As if the look-up had been so many minutes ago.
fn age(case: &Case, minutes: i64) {
    let store = Store::open(Some(case.home.state()), &Environment::default());
    for (id, ..) in store.sessions() {
        let mut record = store.groups(&id).expect("groups beside the session");
        record.at -= TimeDelta::minutes(minutes);
        store.save_groups(&id, &record).unwrap();
    }
}

#[test]
fn graph_is_asked_once_an_hour_or_when_told_to() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    assert_all(&case.json(&[]), 201, "graph");
    assert_eq!(case.asked_graph().len(), 1);
    case.world.set_groups(202);
    for more in [&[][..], &["--groups"], &["--filter", "a"]] {
        assert_eq!(case.json(more)["groups"]["count"], 201);
        assert!(case.asked_graph().is_empty());
    }
    age(&case, 59);
    assert_eq!(case.json(&[])["groups"]["count"], 201);
    age(&case, 1);
    assert_eq!(case.json(&[])["groups"]["count"], 202);
    assert_eq!(case.asked_graph().len(), 1);
    case.world.set_groups(203);
    assert_eq!(case.json(&["--refresh"])["groups"]["count"], 203);
    assert_eq!(case.asked_graph().len(), 1);
    // A clock that was set back makes nothing younger than new.
    age(&case, -5);
    case.world.set_groups(204);
    assert_eq!(case.json(&[])["groups"]["count"], 204);
}

#[test]
fn what_the_cluster_said_is_remembered_for_that_cluster_with_why_it_was_asked() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    case.world.set(Behaviour::GraphNotConsented);
    let first = case.whoami(&[]);
    case.world.reset_requests();
    let again = case.whoami(&[]);
    assert_eq!(again.stdout, first.stdout);
    assert!(first.stderr.contains("they come from the cluster"), "{first}");
    // What has been said is said again where groups are wanted.
    assert_eq!(again.stderr, "", "{again}");
    assert_eq!(case.whoami(&["--groups"]).stderr, first.stderr);
    assert!(case.requests(Server::Entra).is_empty(), "a token for Graph was asked for again");
    // By another name it may be another cluster.
    case.edit_cluster(|cluster| {
        let server = cluster["server"].as_str().unwrap().replace("127.0.0.1", "localhost");
        cluster["server"] = server.into();
    });
    case.whoami(&[]);
    assert_eq!(case.world.refreshes().len(), 1);
}

#[test]
fn nothing_incomplete_is_remembered() {
    let case = Case::entra(&OWN).paged(2_500).signed_in();
    case.world.set(Behaviour::GraphOnePageFails);
    case.world.set(Behaviour::KubeIgnoresOverage);
    assert_eq!(case.json(&[])["groups"]["complete"], false);
    assert!(case.home.files("groups").is_empty());
    case.world.clear_all();
    assert_all(&case.json(&[]), 2_500, "graph");
}

#[test]
fn on_disk_groups_are_sealed_and_closed_to_others() {
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
    // One that was changed is none.
    let mut bytes = fs::read(&kept[0]).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&kept[0], bytes).unwrap();
    case.world.reset_requests();
    assert_all(&case.json(&[]), 201, "graph");
    assert_eq!(case.asked_graph(), ["me/getMemberGroups"]);
}

#[test]
fn logout_forgets_them() {
    for how in [&["logout"][..], &["logout", "--all"]] {
        let case = Case::entra(&OWN).groups(201).signed_in();
        case.json(&[]);
        assert_eq!(case.home.files("groups").len(), 1);
        assert_eq!(case.home.run(how).code, Some(0));
        assert!(case.home.files("groups").is_empty());
    }
}

#[test]
fn another_account_in_the_same_place_is_not_shown_the_groups_of_the_first() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    let first = case.json(&[]);
    assert_all(&first, 201, "graph");
    // The sign-in ends, and somebody else signs in for the same context: there is no look-up in that.
    let record = case.home.files("groups").remove(0);
    let of_the_first = fs::read(&record).unwrap();
    case.world.revoke_all();
    case.home.set_seconds_left(-60);
    case.world.sign_in_as(BOB);
    case.world.set_group_ids(Some(sim::group_ids(210).split_off(5)));
    case.get_token(&ALWAYS);
    assert!(!record.exists(), "the groups of the first are left with the second");
    // Should they be left all the same, they are not taken for the second's.
    fs::write(&record, of_the_first).unwrap();
    case.world.reset_requests();
    let second = case.json(&[]);
    assert_eq!((&second["username"], &second["groups"]["count"]), (&BOB.into(), &205.into()));
    assert_eq!(ids(&second), &sim::group_ids(210)[5..]);
    assert_eq!(case.asked_graph(), ["me/getMemberGroups"]);
}

#[test]
fn a_folder_that_cannot_be_written_to_costs_only_the_memory() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    case.home.write("state/kubectl-login/groups", "in the way");
    assert_all(&case.json(&[]), 201, "graph");
    assert_all(&case.json(&[]), 201, "graph");
    assert_eq!(case.asked_graph().len(), 2);
}

/// Tunnels, kind and minikube: one address, by turns that of several clusters.
#[test]
fn groups_of_two_clusters_behind_one_address_are_kept_apart() {
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
