//! Completion of a command line, in the format that kubectl reads. `completion/` tests the shells' scripts,
//! `kubectl.rs` the real kubectl.
#![cfg(unix)]

mod shells;
mod terminal;

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::common::{Home, PLUGIN, Run, entra, oidc};
use sim::{ALICE, World};

/// Names as users have them, and some that must not be offered.
const KUBECONFIG: &str = r#"
current-context: prod
clusters:
- name: main
  cluster: {server: "https://user:hunter2@api.example:6443/path"}
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

/// A home directory with that kubeconfig in the default location.
fn home() -> Home {
    let home = Home::new();
    std::fs::create_dir(home.path().join(".kube")).unwrap();
    std::fs::write(home.path().join(".kube/config"), KUBECONFIG).unwrap();
    home
}

/// The plugin's command for completing the last of these words.
fn complete_command(home: &Home, words: &[&str]) -> Command {
    let mut command = home.plugin(&["__complete"]);
    command.args(words).current_dir(home.path());
    command
}

/// The output; stderr must be empty.
#[track_caller]
fn completion_output(command: &mut Command) -> String {
    let run = Run::of(command);
    run.assert_silent_success();
    run.stdout
}

#[track_caller]
fn complete(home: &Home, words: &[&str]) -> String {
    completion_output(&mut complete_command(home, words))
}

/// The candidates without descriptions; file completion must be off.
#[track_caller]
fn candidates(home: &Home, words: &[&str]) -> Vec<String> {
    let output = complete(home, words);
    let list = output.strip_suffix(":4\n").unwrap_or_else(|| panic!("not :4 at the end: {output}"));
    list.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn candidates_have_descriptions_and_a_directive() {
    let home = home();
    assert_eq!(complete(&home, &["st"]), "status\tShow stored sessions: account, issuer, expiry, contexts\n:4\n");
    assert_eq!(complete(&home, &["nothing-like-it"]), ":4\n");
    assert_eq!(completion_output(home.plugin(&["__completeNoDesc", "st"]).current_dir(home.path())), "status\n:4\n");
}

#[test]
fn empty_word_offers_commands_and_contexts() {
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
    // For a context named like a command, the command is offered.
    assert_eq!(words.iter().filter(|word| *word == "status").count(), 1, "{words:?}");
    assert_eq!(
        completion_output(&mut home.plugin(&["__complete"])),
        complete(&home, &[""]),
        "no word is an empty word"
    );
    // If nothing else fits, flags are offered.
    assert!(candidates(&home, &["status", ""]).contains(&"--output".to_owned()));
}

#[test]
fn commands_are_offered_first_only() {
    let home = home();
    for words in [&["--force", ""][..], &["-v", "1", ""]] {
        let found = candidates(&home, words);
        assert!(found.contains(&"prod".to_owned()) && !found.contains(&"logout".to_owned()), "{found:?}");
    }
    let behind = candidates(&home, &["--context", "status", "--"]);
    assert!(behind.contains(&"--force".to_owned()), "the value of a flag is not a command: {behind:?}");
    // If the context is already given, or none is allowed, contexts are not offered.
    for words in
        [&["prod", ""][..], &["--context=prod", ""], &["logout", "--all", ""], &["logout", "--account", ALICE, ""]]
    {
        assert!(candidates(&home, words).iter().all(|word| word.starts_with('-')), "{words:?}");
    }
}

#[test]
fn dash_offers_flags() {
    let home = home();
    assert_eq!(candidates(&home, &["--con"]), ["--context"]);
    assert_eq!(candidates(&home, &["-"]), candidates(&home, &["--"]));
    assert_eq!(candidates(&home, &["status", "--cache"]), ["--cache-dir"]);
    assert_eq!(candidates(&home, &["get-token", "--gran"]), ["--grant-type"]);
    assert_eq!(candidates(&home, &["-v1", "get-token", "--gran"]), ["--grant-type"], "flags in front of get-token");
    // Hidden flags are not offered even if nothing else fits.
    for hidden in ["--vmod", "--client-sec", "--token-cache-d", "--oidc-use-pk", "--force-k"] {
        assert!(candidates(&home, &["get-token", hidden]).is_empty(), "{hidden}");
    }
}

#[test]
fn known_values_are_offered() {
    let home = home();
    assert_eq!(candidates(&home, &["get-token", "--login", "d"]), ["devicecode"]);
    assert_eq!(candidates(&home, &["get-token", "-l", "a"]), ["auto", "azurecli", "azd", "azurepipelines"]);
    assert_eq!(candidates(&home, &["get-token", "--environment", "AzureUS"]), ["AzureUSGovernmentCloud"]);
    assert_eq!(candidates(&home, &["get-token", "-e", "Bleu"]), ["BleuCloud"]);
    assert_eq!(candidates(&home, &["get-token", "--grant-type=device"]), ["device-code"]);
    assert_eq!(candidates(&home, &["get-token", "--token-cache-storage", ""]), ["auto", "keyring", "file", "none"]);
    assert_eq!(candidates(&home, &["status", "-o=y"]), ["yaml"]);
    assert_eq!(candidates(&home, &["--prompt", ""]), ["auto", "always", "never"]);
    assert_eq!(complete(&home, &["status", "-o", "j"]), "json\tOne JSON object\n:4\n");
    assert_eq!(candidates(&home, &["completion", ""]), ["bash", "zsh", "fish", "powershell"]);
    assert!(candidates(&home, &["get-token", "--client-id", ""]).is_empty());
}

#[test]
fn names_from_the_kubeconfig_are_offered_safely() {
    let home = home();
    assert_eq!(
        complete(&home, &["--context", "a"]),
        "arn:aws:eks:eu-1:1:cluster/x\tapi.example:6443\narn:aws:eks:eu-1:1:cluster/y\tbuild\n:4\n"
    );
    assert_eq!(complete(&home, &["logout", ""]), format!("{CONTEXTS}status\tapi.example:6443\n:4\n"));
    assert_eq!(candidates(&home, &["--context=my"]), ["my cluster"]);
    assert_eq!(candidates(&home, &["logout", "--user", ""]), ["alice@example.com", "build"]);
    for words in [&[""][..], &["--user", ""], &["--context", ""]] {
        let output = complete(&home, words);
        assert!(!output.contains("hunter2") && !output.contains("pwned") && !output.contains('\u{1b}'), "{output}");
    }
}

#[test]
fn kubeconfig_flag_is_used_for_names() {
    let home = home();
    let other = home.path().join("other");
    std::fs::write(&other, "contexts: [{name: elsewhere, context: {user: carol}}]\nusers: [{name: carol}]").unwrap();
    let other = other.to_str().unwrap();
    assert_eq!(complete(&home, &["--kubeconfig", other, "e"]), "elsewhere\tcarol\n:4\n");
    assert_eq!(candidates(&home, &["logout", "--kubeconfig=~/other", "--user", ""]), ["carol"]);
    assert_eq!(candidates(&home, &["--kubeconfig", "/none", "--kubeconfig", other, "--context", ""]), ["elsewhere"]);
    assert_eq!(candidates(&home, &["--kubeconfig", "/none", "--user", ""]), [""; 0]);
    let mut command = complete_command(&home, &["--user", ""]);
    assert_eq!(completion_output(command.env("KUBECONFIG", other)), "carol\n:4\n");
}

#[test]
fn unreadable_kubeconfig_offers_nothing_silently() {
    let home = Home::new();
    assert_eq!(complete(&home, &["--context", ""]), ":4\n");
    assert!(candidates(&home, &[""]).contains(&"status".to_owned()));
    std::fs::write(home.path().join("broken"), "contexts: [{{{\n").unwrap();
    for kubeconfig in ["broken", ".", "/dev/null"] {
        let mut command = complete_command(&home, &["--user", ""]);
        assert_eq!(completion_output(command.env("KUBECONFIG", kubeconfig)), ":4\n", "{kubeconfig}");
    }
}

#[test]
fn signed_in_accounts_are_offered() {
    let (world, home) = (World::start(), home());
    home.run(&entra(&world, &["--prompt", "always"])).token();
    home.run(&oidc(&world, &["--prompt", "always", "--cache-dir", "~/cache"])).token();
    world.reset_requests();
    assert_eq!(complete(&home, &["logout", "--account", ""]), format!("{ALICE}\t{}\n:4\n", sim::TENANT));
    let there = complete(&home, &["logout", "--cache-dir", "~/cache", "--account", "al"]);
    assert_eq!(there, format!("{ALICE}\t{}\n:4\n", world.issuer()));
    assert!(world.requests().is_empty(), "{:?}", world.requests());
}

#[test]
fn paths_are_completed_by_the_shell() {
    let home = home();
    for words in [&["--kubeconfig", ""][..], &["--kubeconfig=x"], &["get-token", "--certificate-authority", "x"]] {
        assert_eq!(complete(&home, words), ":0\n", "{words:?}");
    }
    for words in [&["status", "--cache-dir", ""][..], &["get-token", "--cache-dir=x"]] {
        assert_eq!(complete(&home, words), ":16\n", "{words:?}");
    }
}

#[test]
fn kubectl_complete_names_complete_all_words() {
    let home = home();
    for name in ["kubectl_complete-login", "kubectl_complete-oidc_login"] {
        let link = home.path().join(name);
        symlink(PLUGIN, &link).unwrap();
        let ask = |words: &[&str]| completion_output(home.program(link.to_str().unwrap()).args(words));
        assert_eq!(ask(&["--con"]), complete(&home, &["--con"]));
        assert_eq!(ask(&[""]), complete(&home, &[""]));
        assert_eq!(ask(&["--version"]), "--version\tPrint version\n:4\n", "asked for, not obeyed");
    }
}

#[test]
fn non_unicode_words_are_ignored() {
    use std::os::unix::ffi::OsStrExt as _;
    let home = home();
    let odd = std::ffi::OsStr::from_bytes(b"--kubeconfig=\xff");
    assert_eq!(completion_output(complete_command(&home, &[]).arg(odd)), ":4\n");
    assert_eq!(
        completion_output(complete_command(&home, &[]).args([odd, "--con".as_ref()])),
        complete(&home, &["--con"])
    );
}

#[test]
fn unknown_shell_is_a_usage_error() {
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
