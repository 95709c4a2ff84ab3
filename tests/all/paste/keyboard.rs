//! `authcode-keyboard`: there is no listener, and a user or a program enters the code.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use sim::{Behaviour, World};

use super::{SignIn, authcode};
use crate::common::remote_browser::{open, parameter, sign_in_at};
use crate::common::{Home, Run, in_parallel, oidc};

const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// `get-token` at the plain issuer, with authcode-keyboard.
fn by_keyboard(world: &World, more: &[&str]) -> Vec<String> {
    oidc(world, &[&["--grant-type", "authcode-keyboard"], more].concat())
}

/// The code on the page that the issuer shows without a redirect address.
#[track_caller]
fn shown_code(address: &str) -> String {
    let page = open(address);
    let (_, rest) = page.body.split_once("code: <code>").unwrap_or_else(|| panic!("no code: {page:?}"));
    rest.split('<').next().unwrap().to_owned()
}

/// The redirect addresses that the issuer received: from the browser, and from the plugin.
fn redirects(world: &World) -> (Option<String>, Option<String>) {
    let asked = world.authorize_requests()[0].query.get("redirect_uri").cloned();
    let redeemed = world.token_requests("authorization_code")[0].form.get("redirect_uri").cloned();
    (asked, redeemed)
}

#[test]
fn code_from_the_page_is_accepted() {
    let sign_in = SignIn::start(by_keyboard, &[]);
    sign_in.screen.wait_for("Then paste here the code that it shows, or the address of the page");
    let code = shown_code(&sign_in.address);
    sign_in.screen.paste_line(&code);
    sign_in.assert_succeeds(&[&code]);
    // The issuer has a registered address, or shows the code.
    assert_eq!(redirects(&sign_in.world), (None, None));
}

#[test]
fn redirect_address_is_sent_unchanged() {
    in_parallel([OUT_OF_BAND, "http://localhost/callback", "http://LOCALHOST:80/callback"], |given| {
        let sign_in = SignIn::start(by_keyboard, &["--oidc-redirect-url", given]);
        let answer = match given {
            OUT_OF_BAND => shown_code(&sign_in.address),
            _ => sign_in_at(&sign_in.address),
        };
        sign_in.screen.paste_line(&answer);
        sign_in.assert_succeeds(&[&answer]);
        assert_eq!(redirects(&sign_in.world), (Some(given.to_owned()), Some(given.to_owned())));
    });
}

#[test]
fn address_of_another_sign_in_is_rejected() {
    let sign_in = SignIn::start(by_keyboard, &["--oidc-redirect-url", "http://localhost/callback"]);
    let answer = sign_in_at(&sign_in.address);
    sign_in.screen.paste_line(&answer.replace(&parameter(&answer, "state"), "another-state"));
    sign_in.screen.wait_for("it belongs to another sign-in");
    sign_in.screen.paste_line(&answer);
    sign_in.assert_succeeds(&[]);
}

/// A sign-in without a terminal whose stdin is a pipe, and the address of its page.
fn start_with_pipe(home: &Home, world: &World, more: &[&str]) -> (Child, String) {
    let mut command = home.plugin(&by_keyboard(world, more));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.as_mut().unwrap());
    let address = stderr.lines().map(Result::unwrap).find(|line| line.starts_with("http")).expect("an address");
    (child, address)
}

#[test]
fn code_is_read_from_a_pipe() {
    in_parallel([("\n", ""), ("", ""), ("\r\n", "no such code\n")], |(end, before)| {
        let (world, home) = (World::start(), Home::new());
        let (mut child, address) = start_with_pipe(&home, &world, &[]);
        let mut stdin = child.stdin.take().unwrap();
        write!(stdin, "{before}{}{end}", shown_code(&address)).unwrap();
        drop(stdin);
        Run::wait(child).token();
        assert_eq!(world.token_requests("authorization_code").len(), 1);
    });
}

#[test]
fn missing_terminal_and_stdin_is_an_error() {
    let (world, home) = (World::start(), Home::new());
    let run = home.run(&by_keyboard(&world, &["--prompt", "always"]));
    run.assert_failed(
        3,
        &["the code from the browser has to be pasted", "\nNext:  In a terminal, sign in: kubectl login"],
    );
}

/// Without a terminal, a second try is impossible.
#[test]
fn rejected_code_from_a_pipe_gives_the_reason() {
    in_parallel(
        [("no-such-code", "The code is unknown"), ("http://localhost/", "there is no code in it")],
        |(text, why)| {
            let (world, home) = (World::start(), Home::new());
            let (mut child, _) = start_with_pipe(&home, &world, &[]);
            writeln!(child.stdin.take().unwrap(), "{text}").unwrap();
            let run = Run::wait(child);
            run.assert_failed(3, &["what was brought from the browser does not help: ", why]);
            assert!(!run.stderr.contains(text), "{run}");
        },
    );
}

/// A pipe is meant to be read; `/dev/null` is the default stdin of programs without input.
#[test]
fn prompt_without_a_user_is_an_error() {
    let (world, home) = (World::start(), Home::new());
    home.run(&by_keyboard(&world, &[])).assert_failed(3, &["no user can be prompted here", "\nNext: "]);
    for (args, variables, why) in [
        (by_keyboard as fn(&World, &[&str]) -> Vec<String>, &[("CI", "true")][..], "CI is set"),
        (authcode, &[], "there is no terminal"),
    ] {
        let mut command = home.plugin(&args(&world, &[]));
        let command = command.envs(variables.iter().copied()).stdin(Stdio::piped());
        Run::of(command).assert_failed(3, &["no user can be prompted here", why]);
    }
    assert!(world.authorize_requests().is_empty());
}

/// Sends the code that the issuer shows through the pipe.
#[track_caller]
fn finish_with_code(mut child: Child, address: &str) -> Run {
    writeln!(child.stdin.take().unwrap(), "{}", shown_code(address)).unwrap();
    Run::wait(child)
}

/// The issuer shows only a code, without `state`, so the ID token has to prove that it belongs to this sign-in.
#[test]
fn code_without_pkce_needs_an_id_token() {
    for (behaviours, more, taken) in [
        (&[][..], &["--oidc-pkce-method=no"][..], true),
        (&[], &["--oidc-pkce-method=no", "--oidc-use-access-token"], true),
        (&[Behaviour::MissingIdToken], &["--oidc-pkce-method=no", "--oidc-use-access-token"], false),
        (&[Behaviour::MissingIdToken], &["--oidc-use-access-token"], true),
    ] {
        let (world, home) = (World::start_with(behaviours), Home::new());
        let (child, address) = start_with_pipe(&home, &world, more);
        assert_eq!(address.contains("code_challenge"), !more.contains(&"--oidc-pkce-method=no"), "{address}");
        let run = finish_with_code(child, &address);
        if taken {
            run.token();
        } else {
            run.assert_failed(3, &["nothing tells whose code that is: PKCE is not used", "\nNext: "]);
        }
        assert_eq!((home.files("sessions").len() == 1, world.token_requests("authorization_code").len()), (taken, 1));
    }
}

#[test]
fn keyboard_redirect_flag_applies_to_authcode_keyboard_only() {
    let (world, home) = (World::start(), Home::new());
    let flag = ["--oidc-redirect-url-authcode-keyboard", OUT_OF_BAND];
    let (child, address) = start_with_pipe(&home, &world, &flag);
    finish_with_code(child, &address).token();
    assert_eq!(redirects(&world), (Some(OUT_OF_BAND.to_owned()), Some(OUT_OF_BAND.to_owned())));

    let sign_in = SignIn::start(authcode, &flag);
    assert!(parameter(&sign_in.address, "redirect_uri").starts_with("http://localhost:"), "{}", sign_in.address);
}

/// The ports on which a process listens, at any address.
#[cfg(target_os = "linux")]
fn listening(pid: &str) -> Vec<u16> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = folder.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let own: Vec<String> = links.map(|link| link.display().to_string()).collect();
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Local address, state (0A is LISTEN) and inode: proc(5).
            if fields[3] == "0A" && own.contains(&format!("socket:[{}]", fields[9])) {
                ports.push(u16::from_str_radix(fields[1].rsplit(':').next().unwrap(), 16).unwrap());
            }
        }
    }
    ports
}

#[cfg(target_os = "linux")]
#[test]
fn authcode_keyboard_does_not_listen() {
    let listens = |args| {
        let sign_in = SignIn::start(args, &[]);
        listening(sign_in.read("pid").trim())
    };
    assert!(listens(by_keyboard).is_empty());
    // A listener would be found.
    assert!(!listens(authcode).is_empty());
}
