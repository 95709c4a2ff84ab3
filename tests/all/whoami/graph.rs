//! Graph's failures: the look-up always ends, says how complete it is, and sends its token nowhere else.

use serde_json::{Value, json};
use sim::{Behaviour, Request, Server};

use super::{Case, OWN, PERMISSION, assert_all, ids};
use crate::common::{HANG, JSON, Run, in_parallel};

/// Three pages.
const MANY: usize = 2_500;

/// The result of a look-up if Graph misbehaves like this.
enum Outcome {
    /// All groups, from Graph, without a warning.
    All,
    /// No groups from Graph, and these words.
    Nothing(&'static [&'static str]),
    /// So many groups from Graph, and these words.
    Some(usize, &'static [&'static str]),
}

fn with_behaviour(behaviour: Behaviour) -> Case {
    let case = Case::entra(&OWN).paged(MANY).signed_in();
    case.world.set(behaviour);
    case
}

/// Asserts that each request to Graph was sent once, to the tenant's Graph, and to no other host of this world.
#[track_caller]
fn assert_only_own_graph(case: &Case) {
    let host = case.world.graph_url().replace("http://", "");
    let stray: Vec<Request> =
        case.requests(Server::Graph).into_iter().filter(|request| request.header("host") != host).collect();
    assert!(stray.is_empty(), "{stray:?}");
    assert_eq!((case.world.next_links_elsewhere_followed(), case.world.redirects_followed()), (0, 0));
}

fn groups(run: &Run) -> Value {
    run.object()["groups"].clone()
}

#[track_caller]
fn assert_outcome(behaviour: Behaviour, outcome: &Outcome) {
    let case = with_behaviour(behaviour);
    let wanted = [&JSON[..], &["--groups"]].concat();
    let run = case.whoami(&wanted);
    assert_only_own_graph(&case);
    let words = match outcome {
        Outcome::All => {
            assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{behaviour:?}");
            return assert_all(&run.object(), MANY, "graph");
        }
        Outcome::Nothing(words) | Outcome::Some(_, words) => *words,
    };
    // The cluster knows the groups.
    assert_eq!(run.code, Some(0), "{behaviour:?}: {}", run.stderr);
    assert_all(&run.object(), MANY, "cluster");
    run.assert_stderr(words);
    run.assert_stderr(&["Warning: ", "; they come from the cluster\n", "\nNext: "]);
    // If the cluster does not know them either.
    case.world.set(Behaviour::KubeIgnoresOverage);
    let run = case.whoami(&[&wanted[..], &["--refresh"]].concat());
    assert_only_own_graph(&case);
    let (count, source) = match outcome {
        Outcome::Some(count, _) => (*count, "graph"),
        _ => (0, "none"),
    };
    let found = groups(&run);
    let facts = ["count", "source", "complete", "overage"].map(|name| found[name].clone());
    assert_eq!((run.code, facts), (Some(1), [json!(count), json!(source), json!(false), json!(true)]), "{behaviour:?}");
    assert_eq!(ids(&run.object()).len(), count);
    run.assert_stderr(words);
    run.assert_stderr(&["Warning: not all of your groups are known: ", "\nNext: "]);
    let unwanted = case.whoami(&["--refresh"]);
    assert_eq!(unwanted.code, Some(0), "{unwanted}");
    unwanted.assert_stderr(&["Warning: not all of your groups are known: "]);
}

#[test]
fn temporary_failures_are_retried() {
    in_parallel([Behaviour::GraphConnectionLost, Behaviour::GraphThrottled], |behaviour| {
        assert_outcome(behaviour, &Outcome::All);
    });
}

#[test]
fn pages_are_read_if_ids_are_forbidden() {
    assert_outcome(Behaviour::GraphMemberGroupsForbidden, &Outcome::All);
}

/// Graph's error code decides, not the status.
#[test]
fn size_limit_with_another_status_reads_pages() {
    let case = Case::entra(&OWN).groups(11_001).signed_in();
    case.world.set(Behaviour::GraphSizeLimit403);
    assert_all(&case.json(&[]), 11_001, "graph");
}

#[test]
fn failed_look_up_says_why() {
    let cases: [(Behaviour, &[&str]); 6] = [
        (Behaviour::GraphDown, &["not available (HTTP 503)"]),
        (Behaviour::GraphRedirects, &["redirects", "not followed", "this machine and Microsoft Graph"]),
        (Behaviour::GraphNotJson, &["not a list of groups"]),
        (Behaviour::GraphForbidden, &["may not ask it", PERMISSION]),
        (Behaviour::GraphNotConsented, &["may not ask it", PERMISSION]),
        (Behaviour::GraphOversizedPage, &["larger than 8 MiB", "this machine and Microsoft Graph"]),
    ];
    in_parallel(cases, |(behaviour, words)| assert_outcome(behaviour, &Outcome::Nothing(words)));
}

#[test]
fn looping_pages_end() {
    let cases: [(Behaviour, Outcome); 5] = [
        (Behaviour::GraphNextLinkElsewhere, Outcome::Some(998, &["another server", "not asked"])),
        (Behaviour::GraphNextLinkLoops, Outcome::Some(1_996, &["its pages form a loop"])),
        (Behaviour::GraphPagesRepeat, Outcome::Some(998, &["nothing new"])),
        (Behaviour::GraphEmptyPages, Outcome::Nothing(&["nothing new"])),
        (Behaviour::GraphOnePageFails, Outcome::Some(1_996, &["HTTP 500"])),
    ];
    in_parallel(cases, |(behaviour, outcome)| assert_outcome(behaviour, &outcome));
}

/// The names of few groups are a separate request, and can be missing separately.
#[test]
fn groups_without_names_are_counted() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    assert_all(&case.json(&[]), 201, "graph");
    case.world.set(Behaviour::GraphForbidden);
    let run = case.whoami(&[&JSON[..], &["--names"]].concat());
    let whoami = run.object();
    assert_eq!((run.code, &whoami["groups"]["items"][0]["name"]), (Some(0), &Value::Null), "{}", run.stderr);
    assert_all(&whoami, 201, "graph");
    run.assert_stderr(&["Warning: the groups have no names here: ", PERMISSION]);
    case.world.clear(Behaviour::GraphForbidden);
    case.world.reset_requests();
    let whoami = case.json(&["--names"]);
    assert_eq!(whoami["groups"]["items"][200]["name"], "Group 201");
    let bodies: Vec<Request> = case.requests(Server::Graph);
    let asked = json!({ "ids": sim::group_ids(201), "types": ["group"] });
    assert_eq!(bodies.iter().map(|request| &request.body).collect::<Vec<_>>(), [&asked]);
    // The names are cached with the groups.
    assert_eq!(case.graph_requests(), ["directoryObjects/getByIds"]);
    assert_eq!(case.json(&["--names"])["groups"]["items"][200]["name"], "Group 201");
    assert!(case.graph_requests().is_empty());
}

/// More than Graph accepts in one request.
#[test]
fn names_are_requested_by_the_thousand() {
    let case = Case::entra(&OWN).groups(2_001).signed_in();
    let whoami = case.json(&["--names"]);
    let items = whoami["groups"]["items"].as_array().unwrap();
    assert!(items.iter().enumerate().all(|(index, group)| group["name"] == format!("Group {}", index + 1)));
    let asked = case.requests(Server::Graph);
    let counts: Vec<usize> = asked.iter().filter_map(|request| Some(request.body["ids"].as_array()?.len())).collect();
    assert_eq!(counts, [1_000, 1_000, 1]);
}

/// A look-up can be interrupted; the deadline of three minutes is too long for a test.
#[test]
fn ctrl_c_ends_a_waiting_look_up() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    for behaviour in [Behaviour::GraphStalls, Behaviour::GraphThrottledAlways] {
        case.world.clear_all();
        case.world.set(behaviour);
        case.world.reset_requests();
        let child = case.home.start(&["whoami", "--groups"]);
        let asked = |log: &sim::Log| log.count("/getMemberGroups") > 0;
        assert!(case.world.wait_for(HANG, asked), "there was no request to Graph");
        let group = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(group, rustix::process::Signal::INT).unwrap();
        Run::wait(child).assert_failed(130, &[]);
    }
}

#[test]
fn unrequested_gzip_is_read_from_graph_and_cluster() {
    let case = with_behaviour(Behaviour::GzipAnswers);
    let run = case.whoami(&[&JSON[..], &["--groups"]].concat());
    run.assert_silent_success();
    assert_all(&run.object(), MANY, "graph");
    assert_eq!(run.object()["cluster"]["missingGroups"], json!([]), "{run}");
}
