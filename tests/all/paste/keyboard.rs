//! `authcode-keyboard`: nothing listens, and somebody, or a program, brings the answer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use sim::{Behaviour, World};

use super::{SignIn, authcode};
use crate::common::remote_browser::{open, parameter, sign_in_at};
use crate::common::{Home, Run, in_parallel, oidc};

const NOWHERE: &str = "urn:ietf:wg:oauth:2.0:oob";

/// `get-token` at the plain issuer, by keyboard.
fn by_keyboard(world: &World, more: &[&str]) -> Vec<String> {
    oidc(world, &[&["--grant-type", "authcode-keyboard"], more].concat())
}

/// The code on the page that the issuer shows where there is nowhere to go back to.
#[track_caller]
fn shown_code(address: &str) -> String {
    let page = open(address);
    let (_, rest) = page.body.split_once("code: <code>").unwrap_or_else(|| panic!("no code: {page:?}"));
    rest.split('<').next().unwrap().to_owned()
}

/// What the issuer was told about the redirect address: by the browser, and by the plugin.
fn redirects(world: &World) -> (Option<String>, Option<String>) {
    let asked = world.authorize_requests()[0].query.get("redirect_uri").cloned();
    let redeemed = world.token_requests("authorization_code")[0].form.get("redirect_uri").cloned();
    (asked, redeemed)
}

#[test]
fn the_code_that_the_page_shows_is_pasted() {
    let sign_in = SignIn::start(by_keyboard, &[]);
    sign_in.screen.wait_for("Then paste here the code that it shows, or the address of the page");
    let code = shown_code(&sign_in.address);
    sign_in.screen.paste_line(&code);
    sign_in.assert_succeeds(&[&code]);
    // The issuer knows where to go, or shows the code.
    assert_eq!(redirects(&sign_in.world), (None, None));
}

#[test]
fn a_redirect_address_is_sent_as_it_was_given_and_the_final_address_is_taken() {
    in_parallel([NOWHERE, "http://localhost/callback", "http://LOCALHOST:80/callback"], |given| {
        let sign_in = SignIn::start(by_keyboard, &["--oidc-redirect-url", given]);
        let answer = match given {
            NOWHERE => shown_code(&sign_in.address),
            _ => sign_in_at(&sign_in.address),
        };
        sign_in.screen.paste_line(&answer);
        sign_in.assert_succeeds(&[&answer]);
        assert_eq!(redirects(&sign_in.world), (Some(given.to_owned()), Some(given.to_owned())));
    });
}

#[test]
fn another_sign_in_s_answer_ends_nothing() {
    let sign_in = SignIn::start(by_keyboard, &["--oidc-redirect-url", "http://localhost/callback"]);
    let answer = sign_in_at(&sign_in.address);
    sign_in.screen.paste_line(&answer.replace(&parameter(&answer, "state"), "another-state"));
    sign_in.screen.wait_for("it belongs to another sign-in");
    sign_in.screen.paste_line(&answer);
    sign_in.assert_succeeds(&[]);
}

/// A sign-in without a terminal that a program feeds through a pipe, and the page that it asks for.
fn fed(home: &Home, world: &World, more: &[&str]) -> (Child, String) {
    let mut command = home.plugin(&by_keyboard(world, more));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.as_mut().unwrap());
    let address = stderr.lines().map(Result::unwrap).find(|line| line.starts_with("http")).expect("an address");
    (child, address)
}

#[test]
fn a_program_may_bring_it_on_stdin() {
    in_parallel([("\n", ""), ("", ""), ("\r\n", "no such code\n")], |(end, before)| {
        let (world, home) = (World::start(), Home::new());
        let (mut child, address) = fed(&home, &world, &[]);
        let mut stdin = child.stdin.take().unwrap();
        write!(stdin, "{before}{}{end}", shown_code(&address)).unwrap();
        drop(stdin);
        Run::wait(child).token();
        assert_eq!(world.token_requests("authorization_code").len(), 1);
    });
}

#[test]
fn with_stdin_closed_and_no_terminal_nobody_can_bring_it() {
    let (world, home) = (World::start(), Home::new());
    let run = home.run(&by_keyboard(&world, &["--prompt", "always"]));
    run.assert_failed(
        3,
        &["the code from the browser has to be pasted", "\nNext:  In a terminal, sign in: kubectl login"],
    );
}

/// There is no terminal where a second try could be asked for.
#[test]
fn why_what_came_on_stdin_is_not_taken_is_said_in_the_end() {
    in_parallel(
        [("no-such-code", "The code is unknown"), ("http://localhost/", "there is no code in it")],
        |(text, why)| {
            let (world, home) = (World::start(), Home::new());
            let (mut child, _) = fed(&home, &world, &[]);
            writeln!(child.stdin.take().unwrap(), "{text}").unwrap();
            let run = Run::wait(child);
            run.assert_failed(3, &["what was brought from the browser does not help: ", why]);
            assert!(!run.stderr.contains(text), "{run}");
        },
    );
}

/// Somebody means a pipe to be read; `/dev/null` is what programs have that nobody meant anything with.
#[test]
fn nobody_is_asked_where_nobody_is() {
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

/// Hands the code over that the issuer shows, through the pipe.
#[track_caller]
fn ends_with_the_code(mut child: Child, address: &str) -> Run {
    writeln!(child.stdin.take().unwrap(), "{}", shown_code(address)).unwrap();
    Run::wait(child)
}

/// Where the issuer shows the code there is nothing but a code, so the ID token has to prove whose it is.
#[test]
fn without_pkce_a_code_is_taken_if_an_id_token_comes_of_it() {
    for (behaviours, more, taken) in [
        (&[][..], &["--oidc-pkce-method=no"][..], true),
        (&[], &["--oidc-pkce-method=no", "--oidc-use-access-token"], true),
        (&[Behaviour::MissingIdToken], &["--oidc-pkce-method=no", "--oidc-use-access-token"], false),
        (&[Behaviour::MissingIdToken], &["--oidc-use-access-token"], true),
    ] {
        let (world, home) = (World::start_with(behaviours), Home::new());
        let (child, address) = fed(&home, &world, more);
        assert_eq!(address.contains("code_challenge"), !more.contains(&"--oidc-pkce-method=no"), "{address}");
        let run = ends_with_the_code(child, &address);
        if taken {
            run.token();
        } else {
            run.assert_failed(3, &["nothing tells whose code that is: PKCE is not used", "\nNext: "]);
        }
        assert_eq!((home.files("sessions").len() == 1, world.token_requests("authorization_code").len()), (taken, 1));
    }
}

#[test]
fn the_peer_s_flag_for_the_redirect_address_by_keyboard_counts_there_and_nowhere_else() {
    let (world, home) = (World::start(), Home::new());
    let flag = ["--oidc-redirect-url-authcode-keyboard", NOWHERE];
    let (child, address) = fed(&home, &world, &flag);
    ends_with_the_code(child, &address).token();
    assert_eq!(redirects(&world), (Some(NOWHERE.to_owned()), Some(NOWHERE.to_owned())));

    let sign_in = SignIn::start(authcode, &flag);
    assert!(parameter(&sign_in.address, "redirect_uri").starts_with("http://localhost:"), "{}", sign_in.address);
}

/// The ports that a process listens on, at any address.
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
fn nothing_listens() {
    let listens = |args| {
        let sign_in = SignIn::start(args, &[]);
        listening(sign_in.read("pid").trim())
    };
    assert!(listens(by_keyboard).is_empty());
    // Where something does, it is seen.
    assert!(!listens(authcode).is_empty());
}
