//! Messages about the command line: what is wrong with it, and `--help`.

use sim::World;

use super::prompts::{on_terminal, plain};
use crate::common::{Home, Run, entra};

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn command_line_errors_have_a_next_step() {
    let home = Home::new();
    for (line, text) in [
        (
            "--no-such-flag",
            "Error: there is no flag --no-such-flag here\n\
             Next:  To list commands and flags: kubectl login --help\n",
        ),
        (
            "get-token --server-di x",
            "Error: there is no flag --server-di here\n\
             Next:  Did you mean --server-id?\n       To list its flags: kubectl login get-token --help\n",
        ),
        (
            "--server-id x",
            "Error: there is no flag --server-id here\n\
             Next:  Add it to the kubeconfig user's exec.args.\n       To list commands and flags: kubectl login --help\n",
        ),
        (
            "--force status",
            "Error: there is no flag --force here\n\
             Next:  Use it without a command: kubectl login --force\n       To list its flags: kubectl login status --help\n",
        ),
        (
            "status -o xml",
            "Error: --output cannot be \"xml\"\n\
             Next:  Use one of table, json, yaml.\n       To list its flags: kubectl login status --help\n",
        ),
        (
            "get-token --timeout 5",
            "Error: --timeout has a value that it does not take\n\
             Next:  Write a duration such as 60s or 1m30s.\n       To list its flags: kubectl login get-token --help\n",
        ),
        (
            "get-token --timeout",
            "Error: --timeout needs a value\n\
             Next:  To list its flags: kubectl login get-token --help\n",
        ),
        (
            "--force --refresh",
            "Error: --force cannot be combined with --refresh\n\
             Next:  Leave out one of them.\n       To list commands and flags: kubectl login --help\n",
        ),
        (
            "one two",
            "Error: unexpected argument \"two\"\n\
             Next:  To list commands and flags: kubectl login --help\n",
        ),
        (
            "get-token one",
            "Error: one of the words is neither a flag nor a flag's value\n\
             Next:  Write switches as --flag=false, and values with blanks in quotes.\n       \
             To list its flags: kubectl login get-token --help\n",
        ),
    ] {
        let run = home.run(&words(line));
        run.assert_failed(2, &[]);
        assert_eq!(run.stderr, text, "{line}");
    }
    assert!(!home.state().exists());
}

#[test]
fn possible_secrets_are_not_repeated() {
    let (world, home) = (World::start(), Home::new());
    for line in [
        "--oidc-client-secert=hidden-word",
        "--oidc-client-secret=x hidden-word",
        "--client-secret x hidden-word",
        "--client-certificate-password=x --no-such=hidden-word",
        "--password hidden-word --timeout 5",
        "--oidc-request-header Authorization=hidden-word --prompt sometimes",
        "--oidc-request-header=Authorization: hidden-word",
        "hidden-word",
    ] {
        let more = words(line);
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let run = home.run(&entra(&world, &more));
        run.assert_failed(2, &["Error: ", "\nNext:  "]);
        assert!(!run.stderr.contains("hidden-word"), "{line}: {run}");
    }
    let run = home.run(&["get-token", "--timeout", "\u{1b}[2J\u{7}"]);
    assert!(!run.stderr.contains(['\u{1b}', '\u{7}']), "{run}");
}

#[test]
fn labels_are_coloured_on_terminals_only() {
    let home = Home::new();
    let shown = |variables: &[(&str, &str)]| {
        on_terminal(&home, &words("status -o xml"), ">out", |command| {
            command.envs(variables.iter().copied());
        })
        .shown
    };
    let coloured = shown(&[]);
    assert!(coloured.starts_with("\u{1b}[1;31mError:\u{1b}[0m --output"), "{coloured:?}");
    assert!(coloured.contains("\n\u{1b}[36mNext:\u{1b}[0m  Use"), "{coloured:?}");
    for variables in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")] {
        let text = shown(&[variables]);
        assert!(text.starts_with("Error: ") && !text.contains('\u{1b}'), "{variables:?}: {text:?}");
    }
    let help = on_terminal(&home, &words("status --help"), "2>err", plain).shown;
    assert!(help.contains('\u{1b}') && help.contains("--output"), "{help:?}");
    let piped = on_terminal(&home, &words("status --help"), ">out", |command| {
        command.env("CLICOLOR_FORCE", "1");
    });
    assert!(piped.run.stdout.contains("--output") && !piped.run.stdout.contains('\u{1b}'), "{}", piped.run);
}

#[test]
fn help_fits_80_columns() {
    let home = Home::new();
    let help = |command: &[&str], columns: &str| {
        let run = Run::of(home.plugin(&[command, &["--help"]].concat()).env("COLUMNS", columns));
        run.assert_silent_success();
        for line in run.stdout.lines() {
            assert!(line.chars().count() <= 80 && line.trim_end() == line, "{command:?} at {columns}: {line:?}");
        }
        run.stdout
    };
    let top = help(&[], "80");
    let listed: Vec<&str> = top
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(["get-token", "status", "logout"].iter().all(|name| listed.contains(name)), "{top}");
    for command in std::iter::once(None).chain(listed.iter().map(Some)) {
        let words: Vec<&str> = command.copied().into_iter().collect();
        let text = help(&words, "80");
        assert_eq!(text, help(&words, "200"), "{command:?}: it depends on the terminal's width");
        let usage =
            format!("\nUsage: {} ", ["kubectl login"].iter().chain(&words).copied().collect::<Vec<_>>().join(" "));
        assert!(text.contains(&usage), "{text}");
        // The first line is the description in the list of commands, without a full stop.
        let (first, second) = text.split_once('\n').unwrap();
        assert!(!first.is_empty() && !first.ends_with('.') && second.starts_with('\n'), "{text}");
        let short = home.run(&[&words[..], &["-h"]].concat());
        assert_eq!(short.stdout, text, "-h differs from --help");
    }
}

#[test]
fn flag_without_value_does_not_repeat_the_next_argument() {
    let home = Home::new();
    for flag in ["--timeout", "--prompt", "--token-cache-storage", "--oidc-pkce-method", "--login", "--grant-type"] {
        let entry = ["get-token", "--oidc-issuer-url", "https://issuer.example", "--oidc-client-id", "x"];
        let entra = ["get-token", "--server-id", "x"];
        let entry = if flag == "--login" { &entra[..] } else { &entry[..] };
        let run = home.run(&[entry, &[flag, "--oidc-client-secret=hidden-word"]].concat());
        run.assert_failed(2, &[flag, "needs a value", "\nNext: "]);
        assert!(!run.stderr.contains("hidden-word"), "{run}");
    }
}
