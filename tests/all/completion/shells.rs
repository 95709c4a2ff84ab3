//! The scripts in their shells. Debian and Ubuntu do not have PowerShell, so that script is only checked as text.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::terminal::Terminal;
use crate::common::{Home, PLUGIN, Run, needed};

/// A home directory with contexts, paths to complete, and the plugin under its two names.
fn home() -> Home {
    let home = super::home();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["kubectl-login", "kubelogin"] {
        symlink(PLUGIN, bin.join(name)).unwrap();
    }
    std::fs::create_dir(home.path().join("a folder")).unwrap();
    std::fs::write(home.path().join("a file"), "").unwrap();
    home
}

/// Adds the plugin to a shell's `PATH`, and sets a prompt to wait for.
fn at_home(command: &mut Command, home: &Home) {
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::iter::once(home.path().join("bin")).chain(std::env::split_paths(&path));
    let path: OsString = std::env::join_paths(folders).unwrap();
    command.env("PATH", path).env("ZDOTDIR", home.path()).env("PS1", "ready> ").current_dir(home.path());
}

fn script(home: &Home, shell: &str) -> String {
    let run = home.run(&["completion", shell]);
    run.assert_silent_success();
    run.stdout
}

/// Types each line, presses Tab, and waits for the completed line.
fn press_tab(terminal: &Terminal, lines: &[(&str, &str)]) {
    for (typed, becomes) in lines {
        terminal.press(&["C-u", "C-l"]);
        terminal.write(typed);
        terminal.press(&["Tab"]);
        terminal.wait_for(&format!("ready> {becomes}"));
    }
}

/// What bash offers for a line with the cursor at `point`, split into words as by readline.
fn offered_by_bash(home: &Home, line: &str, point: usize, words: &[&str]) -> String {
    let mut bash = home.program("bash");
    bash.args(["--norc", "-c"]).arg(
        "source <(kubectl-login completion bash); COMP_LINE=$1 COMP_POINT=$2; COMP_WORDS=(\"${@:3}\")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_WORDBREAKS=$' \\t\\n\"\\'@><=;|&(:'; _kubectl_login
        [ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' \"${COMPREPLY[@]}\"",
    );
    bash.args(["bash", line, &point.to_string()]).args(words);
    at_home(&mut bash, home);
    let run = Run::of(&mut bash);
    run.assert_silent_success();
    run.stdout
}

#[test]
fn bash_joins_words_that_readline_splits() {
    let home = home();
    let offered = |line: &str, words: &[&str]| offered_by_bash(&home, line, line.len(), words);
    assert_eq!(offered("kubectl-login st", &["kubectl-login", "st"]), "status\n");
    assert_eq!(
        offered("kubelogin arn:", &["kubelogin", "arn", ":"]),
        "aws:eks:eu-1:1:cluster/x\naws:eks:eu-1:1:cluster/y\n"
    );
    let words = ["kubectl-login", "--context", "=", "arn", ":", "aws", ":", "ek"];
    assert_eq!(offered("kubectl-login --context=arn:aws:ek", &words), "eks:eu-1:1:cluster/x\neks:eu-1:1:cluster/y\n");
    assert_eq!(offered("kubectl-login --context=pr", &["kubectl-login", "--context", "=", "pr"]), "prod\n");
    assert_eq!(offered("kubectl-login  --context  pr", &["kubectl-login", "--context", "pr"]), "prod\n");
    assert_eq!(offered("kubectl-login bob@", &["kubectl-login", "bob", "@"]), "@dev\n");
    assert_eq!(offered("kubectl-login my", &["kubectl-login", "my"]), "my\\ cluster\n");
    assert_eq!(offered("kubectl-login \"my", &["kubectl-login", "\"my"]), "my cluster\n");
    assert_eq!(
        offered("kubectl-login --context my\\ cl", &["kubectl-login", "--context", "my\\ cl"]),
        "my\\ cluster\n"
    );
    assert_eq!(
        offered("kubectl-login --kubeconfig a", &["kubectl-login", "--kubeconfig", "a"]),
        "a\\ file\na\\ folder\n"
    );
    assert_eq!(offered("kubectl-login x", &["kubectl-login", "x"]), "");
    // Text after the cursor is ignored.
    assert_eq!(offered_by_bash(&home, "kubectl-login stzzz", 16, &["kubectl-login", "stzzz"]), "status\n");
}

#[test]
fn bash_does_not_execute_typed_text() {
    let home = home();
    for word in ["$(touch$IFS@ran)", "`touch ran`", "--context=$(touch ran)"] {
        let line = format!("kubectl-login {word}");
        offered_by_bash(&home, &line, line.len(), &["kubectl-login", word]);
    }
    assert!(!home.path().join("ran").exists());
}

#[test]
fn bash_completes_interactively() {
    needed("bash", "bash");
    let home = home();
    std::fs::write(home.path().join("rc"), "PS1='ready> '; source <(kubectl-login completion bash)\n").unwrap();
    let terminal = Terminal::start(&home, &["bash", "--rcfile", "rc", "-i"], |command| at_home(command, &home));
    terminal.wait_for("ready>");
    press_tab(
        &terminal,
        &[
            ("kubectl-login st", "kubectl-login status"),
            ("kubelogin --context=arn:aw", "kubelogin --context=arn:aws:eks:eu-1:1:cluster/"),
            ("kubectl-login logout arn:aws:eks:eu-1:1:c", "kubectl-login logout arn:aws:eks:eu-1:1:cluster/"),
            ("kubectl-login bob@", "kubectl-login bob@dev"),
            ("kubectl-login my", "kubectl-login my\\ cluster"),
            ("kubectl-login \"my", "kubectl-login \"my cluster\""),
            ("kubectl-login --kubeconfig=a\\ fi", "kubectl-login --kubeconfig=a\\ file"),
            ("kubectl-login status --cache-dir ~/a", "kubectl-login status --cache-dir ~/a\\ folder/"),
        ],
    );
}

/// Completes lines in an interactive zsh, which has loaded the script in either way.
fn zsh_completes(home: &Home, rc: &str) {
    needed("zsh", "zsh");
    std::fs::write(home.path().join(".zshrc"), format!("PS1='ready> '\n{rc}\n")).unwrap();
    let terminal = Terminal::start(home, &["zsh", "-d", "-i"], |command| at_home(command, home));
    terminal.wait_for("ready>");
    press_tab(
        &terminal,
        &[
            ("kubectl-login st", "kubectl-login status"),
            ("kubelogin --context=arn:aw", "kubelogin --context=arn:aws:eks:eu-1:1:cluster/"),
            ("kubectl-login bob@", "kubectl-login bob@dev"),
            ("kubectl-login my", "kubectl-login my\\ cluster"),
            ("kubectl-login \"my", "kubectl-login \"my cluster\""),
            ("kubectl-login --kubeconfig=a\\ fi", "kubectl-login --kubeconfig=a\\ file"),
            ("kubectl-login status --cache-dir ~/a", "kubectl-login status --cache-dir ~/a\\ folder/"),
        ],
    );
    // Several candidates are listed with their descriptions.
    terminal.press(&["C-u", "C-l"]);
    terminal.write("kubectl-login arn:");
    terminal.press(&["Tab", "Tab"]);
    terminal.wait_for("arn:aws:eks:eu-1:1:cluster/x  -- api.example:6443");
}

#[test]
fn zsh_completes_with_sourced_script() {
    zsh_completes(&home(), "autoload -Uz compinit; compinit -u -D; source <(kubectl-login completion zsh)");
}

#[test]
fn zsh_completes_with_script_file() {
    let home = home();
    let functions = home.path().join("functions");
    std::fs::create_dir(&functions).unwrap();
    std::fs::write(functions.join("_kubectl-login"), script(&home, "zsh")).unwrap();
    zsh_completes(&home, "fpath=(~/functions $fpath); autoload -Uz compinit; compinit -u -D");
}

#[test]
fn kubectl_script_completes_kubectl_login() {
    needed("kubectl", "kubernetes-client");
    let home = home();
    symlink(PLUGIN, home.path().join("bin/kubectl_complete-login")).unwrap();
    let rc = "PS1='ready> '; autoload -Uz compinit; compinit -u -D; source <(kubectl completion zsh)\n";
    std::fs::write(home.path().join(".zshrc"), rc).unwrap();
    let terminal = Terminal::start(&home, &["zsh", "-d", "-i"], |command| at_home(command, &home));
    terminal.wait_for("ready>");
    press_tab(
        &terminal,
        &[
            ("kubectl login st", "kubectl login status"),
            ("kubectl login --context=arn:aw", "kubectl login --context=arn:aws:eks:eu-1:1:cluster/"),
            ("kubectl login my", "kubectl login my\\ cluster"),
            ("kubectl login status --cache-dir ~/a", "kubectl login status --cache-dir ~/a\\ folder/"),
        ],
    );
}

#[test]
fn fish_completes() {
    needed("fish", "fish");
    let home = home();
    let offered = |line: &str| {
        let mut fish = home.program("fish");
        fish.args(["--no-config", "-c", "kubectl-login completion fish | source; complete -C $argv[1]", line]);
        at_home(&mut fish, &home);
        let run = Run::of(&mut fish);
        run.assert_silent_success();
        run.stdout
    };
    let status = "status\tShow stored sessions: account, issuer, expiry, contexts\n";
    assert_eq!(offered("kubectl-login st"), status);
    assert_eq!(offered("kubelogin st"), status);
    assert_eq!(offered("kubectl-login logout arn:aws:eks:eu-1:1:cluster/y"), "arn:aws:eks:eu-1:1:cluster/y\tbuild\n");
    assert_eq!(offered("kubectl-login --context=bob@"), "--context=bob@dev\n");
    for line in ["kubectl-login my", "kubectl-login 'my cl", "kubectl-login my\\ cl"] {
        assert_eq!(offered(line), "my cluster\tapi.example:6443\n", "{line}");
    }
    assert_eq!(offered("kubectl-login --kubeconfig=a"), "--kubeconfig=a file\n--kubeconfig=a folder/\n");
    assert_eq!(offered("kubectl-login status --cache-dir ~/a"), "~/a folder/\n");
    assert_eq!(offered("kubectl-login logout --account "), "", "not signed in, and files are not accounts");
}

#[test]
fn powershell_script_is_printed() {
    let script = script(&Home::new(), "powershell");
    for part in [
        "Register-ArgumentCompleter -Native -CommandName 'kubectl-login', 'kubelogin'",
        " __complete ",
        "CompletionResult",
    ] {
        assert!(script.contains(part), "{part}");
    }
    let count = |c: char| script.matches(c).count();
    // The two braces in a pattern match too.
    assert_eq!((count('{'), count('(')), (count('}'), count(')')));
}
