//! Files and responses that are larger than memory: reading is limited, and the error names the source.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};

use crate::common::{AKS, ALWAYS, Home, PLUGIN, Run, entra, in_parallel, kubeconfig};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use sim::{Behaviour, World};

/// The plugin's address space, in KiB. Threads and the binary itself reserve a large part of it.
const ADDRESS_SPACE: u32 = 600 * 1024;

/// Runs the plugin with little memory, and with these environment variables.
fn run(home: &Home, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = home.plugin_after(&format!("ulimit -v {ADDRESS_SPACE}"), args);
    Run::of(command.envs(variables.iter().copied()))
}

/// Files that never end, are not regular files, or block a reader, each with the expected error.
fn bad_files(home: &Home) -> [(PathBuf, &'static str); 5] {
    let pipe = home.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let sparse = home.path().join("sparse");
    std::fs::File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    [
        (Path::new("/proc/self/pagemap").to_owned(), "it is larger than 16 MiB"),
        (sparse, "it is larger than 16 MiB"),
        (Path::new("/dev/zero").to_owned(), "it is not a regular file"),
        (home.path().to_owned(), "it is not a regular file"),
        (pipe, "it is not a regular file"),
    ]
}

#[test]
fn endless_file_in_a_flag_is_a_named_error() {
    let (world, home) = (World::start(), Home::new());
    for (file, words) in bad_files(&home) {
        let file = file.to_str().unwrap();
        let authority = entra(&world, &["--certificate-authority", file, ALWAYS[0], ALWAYS[1]]);
        let authority: Vec<&str> = authority.iter().map(String::as_str).collect();
        run(&home, &authority, &[]).assert_failed(1, &[file, words, "\nNext: "]);
        let stack = [&AKS[..], &["--environment", "AzureStackCloud"], &ALWAYS].concat();
        run(&home, &stack, &[("AZURE_ENVIRONMENT_FILEPATH", file)]).assert_failed(1, &[file, words, "\nNext: "]);
    }
}

#[test]
fn status_survives_entries_with_endless_files() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &ALWAYS)).token();
    let hostile = bad_files(&home).map(|(file, _)| entra(&world, &["--certificate-authority", file.to_str().unwrap()]));
    let names = ["a", "b", "c", "d", "e"];
    let contexts: Vec<_> =
        std::iter::once(("good", entra(&world, &[]))).chain(names.into_iter().zip(hostile)).collect();
    home.contexts(&contexts);
    let run = run(&home, &["status"], &[]);
    assert!(run.code == Some(0) && run.stdout.contains("good"), "{run}");
}

#[test]
fn endless_kubeconfig_is_a_named_error() {
    let home = Home::new();
    let words = ["cannot read", "is larger than 16 MiB", "is larger than 16 MiB", "cannot read", "cannot read"];
    for ((file, _), words) in bad_files(&home).into_iter().zip(words) {
        let file = file.to_str().unwrap();
        let run = run(&home, &["whoami", "--kubeconfig", file], &[]);
        run.assert_failed(1, &[file, words, "\nNext: "]);
    }
}

#[test]
fn kubeconfig_is_read_from_a_slow_pipe() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("piped", entra(&world, &[]))]);
    let script = "(sleep 1; cat \"$HOME/.kube/config\") | \"$0\" whoami --kubeconfig /dev/stdin";
    let mut command = home.program("sh");
    Run::of(command.args(["-c", script, PLUGIN])).assert_failed(3, &["\"piped\""]);
}

#[test]
fn lists_too_large_for_memory_are_left_out_of_the_explanation() {
    let (world, home) = (World::start(), Home::new());
    home.write(".kube/config", &kubeconfig(&world, &entra(&world, &[])));
    home.run(&entra(&world, &ALWAYS)).token();
    world.set(Behaviour::KubeDenseLists);
    let run = run(&home, &["whoami", "--explain", "list", "pods"], &[]);
    assert_eq!(run.code, Some(0), "{run}");
    let said = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("ClusterRoleBindings") && said.contains("the API server's answers are too large"), "{run}");
}

#[test]
fn groups_too_large_for_memory_are_rejected() {
    let cases = [
        (vec![Behaviour::KubeDenseReview], sim::CLIENT, "are too large"),
        (vec![Behaviour::GraphDensePages], sim::OWN_CLIENT, "more groups than a user can be in"),
        (
            vec![Behaviour::GraphDensePages, Behaviour::GraphMemberGroupsForbidden],
            sim::OWN_CLIENT,
            "more groups than a user can be in",
        ),
    ];
    in_parallel(cases, |(behaviours, client, words)| {
        let (world, home) = (World::start(), Home::new());
        // The limits allow a lot of data.
        home.lengthen_limits(10);
        world.set_groups(250);
        let own = ["--client-id", client];
        home.write(".kube/config", &kubeconfig(&world, &entra(&world, &own)));
        home.run(&entra(&world, &[&own[..], &ALWAYS].concat())).token();
        behaviours.into_iter().for_each(|behaviour| world.set(behaviour));
        let run = run(&home, &["whoami"], &[]);
        assert_eq!(run.code, Some(0), "{run}");
        assert!(run.stderr.contains(words) && run.stderr.contains("\nNext: "), "{run}");
    });
}
