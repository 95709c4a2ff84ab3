//! What may follow on a command line, in the format that kubectl reads; the shells' scripts are in `completion/`.
//! That the real kubectl asks is in `kubectl.rs`.
#![cfg(unix)]

mod shells;
mod terminal;

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::common::{Home, PLUGIN, Run, entra, oidc};
use sim::{ALICE, World};

/// Names as people have them, and some that nobody should be offered.
const KUBECONFIG: &str = r#"
current-context: prod
clusters:
- name: main
  cluster: {server: "https://somebody:hunter2@api.example:6443/path"}
contexts:
- name: prod
  context: {cluster: main, user: alice@example.com}
- name: arn:aws:eks:eu-1:1:cluster/x
  context: {cluster: main}
- name: arn:aws:eks:eu-1:1:cluster/y
  context: {cluster: gone, user: build}
- name: bob@dev
  context: {}
- name: my cluster
  context: {cluster: main}
- name: status
  context: {cluster: main}
- {name: "two\nlines", context: {}}
- {name: "a\ttab", context: {}}
- {name: "\u001b[31mred", context: {}}
- {name: "$(touch pwned)", context: {}}
- {name: "`touch pwned`", context: {}}
- {name: "x;touch pwned", context: {}}
- {name: --force, context: {}}
- {name: odd description, context: {user: "two\nlines\tand a tab"}}
users:
- name: alice@example.com
  user: {exec: {command: kubectl-login, args: [get-token, --oidc-client-secret=hunter2], env: [{name: S, value: hunter2}]}}
- name: build
  user: {token: hunter2}
"#;

/// The contexts that are offered, with their descriptions.
const CONTEXTS: &str = "arn:aws:eks:eu-1:1:cluster/x\tapi.example:6443
arn:aws:eks:eu-1:1:cluster/y\tbuild
bob@dev
my cluster\tapi.example:6443
odd description\ttwo lines and a tab
prod\talice@example.com on api.example:6443
";

/// A home with that kubeconfig in its usual place.
fn home() -> Home {
    let home = Home::new();
    std::fs::create_dir(home.path().join(".kube")).unwrap();
    std::fs::write(home.path().join(".kube/config"), KUBECONFIG).unwrap();
    home
}

/// The plugin, asked what may stand in place of the last of these words.
fn asking(home: &Home, words: &[&str]) -> Command {
    let mut command = home.plugin(&["__complete"]);
    command.args(words).current_dir(home.path());
    command
}

/// What came out, which never has a word on stderr.
#[track_caller]
fn answer_of(command: &mut Command) -> String {
    let run = Run::of(command);
    run.assert_silent_success();
    run.stdout
}

#[track_caller]
fn answer(home: &Home, words: &[&str]) -> String {
    answer_of(&mut asking(home, words))
}

/// The candidates without their descriptions, where the shell may add nothing.
#[track_caller]
fn candidates(home: &Home, words: &[&str]) -> Vec<String> {
    let answer = answer(home, words);
    let list = answer.strip_suffix(":4\n").unwrap_or_else(|| panic!("not :4 at the end: {answer}"));
    list.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn a_candidate_stands_on_a_line_with_its_description_and_a_number_ends_it() {
    let home = home();
    assert_eq!(
        answer(&home, &["st"]),
        "status\tShow what is remembered: accounts, how long for, where it is kept\n:4\n"
    );
    assert_eq!(answer(&home, &["nothing-like-it"]), ":4\n");
    assert_eq!(answer_of(home.plugin(&["__completeNoDesc", "st"]).current_dir(home.path())), "status\n:4\n");
}

#[test]
fn on_an_empty_word_there_are_commands_and_contexts_and_no_flags() {
    let home = home();
    let words = candidates(&home, &[""]);
    for word in ["get-token", "status", "logout", "completion", "prod", "my cluster"] {
        assert!(words.iter().any(|found| found == word), "{word}: {words:?}");
    }
    assert!(!words.iter().any(|word| word.starts_with('-')), "{words:?}");
    for hidden in ["version", "__complete", "help"] {
        assert!(!words.iter().any(|word| word == hidden), "{hidden}: {words:?}");
        assert!(candidates(&home, &[hidden]).is_empty());
    }
    // A context that is called like a command is the command there.
    assert_eq!(words.iter().filter(|word| *word == "status").count(), 1, "{words:?}");
    assert_eq!(answer_of(&mut home.plugin(&["__complete"])), answer(&home, &[""]), "no word is an empty word");
    // Where there is nothing else, flags help.
    assert!(candidates(&home, &["status", ""]).contains(&"--output".to_owned()));
}

#[test]
fn commands_stand_only_in_front() {
    let home = home();
    for words in [&["--force", ""][..], &["-v", "1", ""]] {
        let found = candidates(&home, words);
        assert!(found.contains(&"prod".to_owned()) && !found.contains(&"logout".to_owned()), "{found:?}");
    }
    let behind = candidates(&home, &["--context", "status", "--"]);
    assert!(behind.contains(&"--force".to_owned()), "a value is no command: {behind:?}");
    // Where the context is known, or none is wanted, no other is offered.
    for words in
        [&["prod", ""][..], &["--context=prod", ""], &["logout", "--all", ""], &["logout", "--account", ALICE, ""]]
    {
        assert!(candidates(&home, words).iter().all(|word| word.starts_with('-')), "{words:?}");
    }
}

#[test]
fn flags_are_offered_where_a_dash_stands() {
    let home = home();
    assert_eq!(candidates(&home, &["--con"]), ["--context"]);
    assert_eq!(candidates(&home, &["-"]), candidates(&home, &["--"]));
    assert_eq!(candidates(&home, &["status", "--cache"]), ["--cache-dir"]);
    assert_eq!(candidates(&home, &["get-token", "--gran"]), ["--grant-type"]);
    assert_eq!(candidates(&home, &["-v1", "get-token", "--gran"]), ["--grant-type"], "flags in front of get-token");
    // Hidden ones are not offered even where nothing else fits.
    for hidden in ["--vmod", "--client-sec", "--token-cache-d", "--oidc-use-pk", "--force-k"] {
        assert!(candidates(&home, &["get-token", hidden]).is_empty(), "{hidden}");
    }
}

#[test]
fn values_that_are_known_are_offered() {
    let home = home();
    assert_eq!(candidates(&home, &["get-token", "--login", "d"]), ["devicecode"]);
    assert_eq!(candidates(&home, &["get-token", "-l", "a"]), ["auto", "azurecli", "azd", "azurepipelines"]);
    assert_eq!(candidates(&home, &["get-token", "--environment", "AzureUS"]), ["AzureUSGovernmentCloud"]);
    assert_eq!(candidates(&home, &["get-token", "-e", "Bleu"]), ["BleuCloud"]);
    assert_eq!(candidates(&home, &["get-token", "--grant-type=device"]), ["device-code"]);
    assert_eq!(candidates(&home, &["get-token", "--token-cache-storage", ""]), ["auto", "keyring", "file", "none"]);
    assert_eq!(candidates(&home, &["status", "-o=y"]), ["yaml"]);
    assert_eq!(candidates(&home, &["--prompt", ""]), ["auto", "always", "never"]);
    assert_eq!(answer(&home, &["status", "-o", "j"]), "json\tOne JSON object\n:4\n");
    assert_eq!(candidates(&home, &["completion", ""]), ["bash", "zsh", "fish", "powershell"]);
    assert!(candidates(&home, &["get-token", "--client-id", ""]).is_empty());
}

#[test]
fn contexts_and_users_come_from_the_kubeconfig_without_its_secrets_and_traps() {
    let home = home();
    assert_eq!(
        answer(&home, &["--context", "a"]),
        "arn:aws:eks:eu-1:1:cluster/x\tapi.example:6443\narn:aws:eks:eu-1:1:cluster/y\tbuild\n:4\n"
    );
    assert_eq!(answer(&home, &["logout", ""]), format!("{CONTEXTS}status\tapi.example:6443\n:4\n"));
    assert_eq!(candidates(&home, &["--context=my"]), ["my cluster"]);
    assert_eq!(candidates(&home, &["logout", "--user", ""]), ["alice@example.com", "build"]);
    for words in [&[""][..], &["--user", ""], &["--context", ""]] {
        let answer = answer(&home, words);
        assert!(!answer.contains("hunter2") && !answer.contains("pwned") && !answer.contains('\u{1b}'), "{answer}");
    }
}

#[test]
fn the_kubeconfig_that_was_typed_is_the_one_that_counts() {
    let home = home();
    let other = home.path().join("other");
    std::fs::write(&other, "contexts: [{name: elsewhere, context: {user: carol}}]\nusers: [{name: carol}]").unwrap();
    let other = other.to_str().unwrap();
    assert_eq!(answer(&home, &["--kubeconfig", other, "e"]), "elsewhere\tcarol\n:4\n");
    assert_eq!(candidates(&home, &["logout", "--kubeconfig=~/other", "--user", ""]), ["carol"]);
    assert_eq!(candidates(&home, &["--kubeconfig", "/none", "--kubeconfig", other, "--context", ""]), ["elsewhere"]);
    assert_eq!(candidates(&home, &["--kubeconfig", "/none", "--user", ""]), [""; 0]);
    let mut command = asking(&home, &["--user", ""]);
    assert_eq!(answer_of(command.env("KUBECONFIG", other)), "carol\n:4\n");
}

#[test]
fn without_a_readable_kubeconfig_there_are_no_names_and_no_complaints() {
    let home = Home::new();
    assert_eq!(answer(&home, &["--context", ""]), ":4\n");
    assert!(candidates(&home, &[""]).contains(&"status".to_owned()));
    std::fs::write(home.path().join("broken"), "contexts: [{{{\n").unwrap();
    for kubeconfig in ["broken", ".", "/dev/null"] {
        let mut command = asking(&home, &["--user", ""]);
        assert_eq!(answer_of(command.env("KUBECONFIG", kubeconfig)), ":4\n", "{kubeconfig}");
    }
}

#[test]
fn accounts_are_those_that_are_signed_in() {
    let (world, home) = (World::start(), home());
    home.run(&entra(&world, &["--prompt", "always"])).token();
    home.run(&oidc(&world, &["--prompt", "always", "--cache-dir", "~/cache"])).token();
    world.reset_requests();
    assert_eq!(answer(&home, &["logout", "--account", ""]), format!("{ALICE}\t{}\n:4\n", sim::TENANT));
    let there = answer(&home, &["logout", "--cache-dir", "~/cache", "--account", "al"]);
    assert_eq!(there, format!("{ALICE}\t{}\n:4\n", world.issuer()));
    assert!(world.requests().is_empty(), "{:?}", world.requests());
}

#[test]
fn paths_are_left_to_the_shell() {
    let home = home();
    for words in [&["--kubeconfig", ""][..], &["--kubeconfig=x"], &["get-token", "--certificate-authority", "x"]] {
        assert_eq!(answer(&home, words), ":0\n", "{words:?}");
    }
    for words in [&["status", "--cache-dir", ""][..], &["get-token", "--cache-dir=x"]] {
        assert_eq!(answer(&home, words), ":16\n", "{words:?}");
    }
}

#[test]
fn under_the_names_that_kubectl_looks_for_every_word_is_to_be_completed() {
    let home = home();
    for name in ["kubectl_complete-login", "kubectl_complete-oidc_login"] {
        let link = home.path().join(name);
        symlink(PLUGIN, &link).unwrap();
        let ask = |words: &[&str]| answer_of(home.program(link.to_str().unwrap()).args(words));
        assert_eq!(ask(&["--con"]), answer(&home, &["--con"]));
        assert_eq!(ask(&[""]), answer(&home, &[""]));
        assert_eq!(ask(&["--version"]), "--version\tPrint version\n:4\n", "asked for, not obeyed");
    }
}

#[test]
fn words_that_are_no_unicode_do_no_harm() {
    use std::os::unix::ffi::OsStrExt as _;
    let home = home();
    let odd = std::ffi::OsStr::from_bytes(b"--kubeconfig=\xff");
    assert_eq!(answer_of(asking(&home, &[]).arg(odd)), ":4\n");
    assert_eq!(answer_of(asking(&home, &[]).args([odd, "--con".as_ref()])), answer(&home, &["--con"]));
}

#[test]
fn a_shell_without_a_script_is_a_usage_error() {
    let home = Home::new();
    home.run(&["completion", "tcsh"]).assert_failed(2, &["tcsh", "bash", "powershell"]);
    home.run(&["completion"]).assert_failed(2, &["SHELL"]);
    let help = Run::of(home.plugin(&["completion", "--help"]).env("COLUMNS", "80"));
    assert_eq!(help.code, Some(0), "{help}");
    for word in
        ["kubectl_complete-login", "source <(kubectl-login completion bash)", "compinit", "fish | source", "$PROFILE"]
    {
        assert!(help.stdout.contains(word), "{word}: {help}");
    }
    assert!(help.stdout.lines().all(|line| line.chars().count() <= 80), "{help}");
    assert!(home.run(&["--help"]).stdout.contains("completion"));
}
