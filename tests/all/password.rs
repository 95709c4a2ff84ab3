//! User name and password (the resource owner password credentials grant): from the kubeconfig, without a prompt, or
//! typed at a terminal, which shows the name and never the password.
#![cfg(unix)]

use std::time::Duration;

use crate::common::tmux::{Screen, Setting, WRAPPER};
use crate::common::{HANG, Home, PLUGIN, Run, claims, in_parallel, oidc};
use rustix::process::{Pid, Signal, kill_process};
use sim::{ALICE, BOB, Behaviour, PASSWORD, World};

/// A password that no user has.
const WRONG: &str = "Tr0ub4dor&3 not it";
const ALICES: [&str; 4] = ["--username", "alice", "--password", PASSWORD];

/// `get-token` at the plain issuer, by password.
fn by_password(world: &World, more: &[&str]) -> Vec<String> {
    oidc(world, &[&["--grant-type", "password"], more].concat())
}

/// The passwords that the issuer received.
fn sent(world: &World) -> Vec<String> {
    world.token_requests("password").iter().map(|request| request.field("password").to_owned()).collect()
}

#[track_caller]
fn assert_empty_stderr(run: &Run) {
    assert_eq!(run.stderr, "", "{run}");
}

#[test]
fn name_and_password_in_the_kubeconfig_need_no_prompt() {
    let (world, home) = (World::start(), Home::new());
    let args = by_password(&world, &[&ALICES[..], &["--prompt", "never", "--oidc-extra-scope", "groups"]].concat());
    let run = home.run(&args);
    assert_eq!(claims(&run.token())["email"], ALICE);
    assert_empty_stderr(&run);
    let requests = world.token_requests("password");
    let [request] = &requests[..] else { panic!("{requests:?}") };
    let expected =
        [("username", "alice"), ("password", PASSWORD), ("scope", "groups openid"), ("client_id", sim::OIDC_CLIENT)];
    for (name, value) in expected {
        assert_eq!(request.field(name), value, "{name}");
    }
    // With a cached session, no password is sent.
    world.reset_requests();
    assert_eq!(home.run(&args).token(), run.token());
    assert!(world.requests().is_empty());
    let files = ["sessions", "tokens"].map(|folder| home.files(folder)).concat();
    assert_eq!(files.len(), 2);
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()), "{}", file.display());
    }
}

#[test]
fn user_name_makes_auto_use_the_password_grant() {
    let world = World::start();
    let (by_name, without, other) = (Home::new(), Home::new(), Home::new());
    by_name.run(&oidc(&world, &[&["--grant-type=auto"], &ALICES[..]].concat())).token();
    assert_eq!(sent(&world), [PASSWORD]);
    // An empty name does not count; and another grant ignores the name.
    without.run(&oidc(&world, &["--grant-type=auto", "--username=", "--password=x", "--prompt=always"])).token();
    other.run(&oidc(&world, &[&["--grant-type=device-code", "--prompt=always"], &ALICES[..]].concat())).token();
    assert_eq!((sent(&world).len(), world.token_requests("device_code").len() >= 2), (1, true));
}

#[test]
fn session_is_refreshed_without_the_password() {
    let (world, home) = (World::start(), Home::new());
    let args = by_password(&world, &ALICES);
    let again = [&args[..], &["--force-refresh".to_owned()]].concat();
    home.run(&args).token();
    let refreshed = home.run(&again);
    refreshed.token();
    assert_eq!((sent(&world).len(), world.refreshes().len()), (1, 1));
    world.revoke_all();
    let begun_again = home.run(&again);
    begun_again.token();
    assert_eq!((sent(&world).len(), world.refreshes().len()), (2, 2));
    assert_empty_stderr(&refreshed);
    assert_empty_stderr(&begun_again);
}

#[test]
fn each_user_name_has_its_own_session() {
    let (world, home) = (World::start(), Home::new());
    let as_user = |name: &str| home.run(&by_password(&world, &["--username", name, "--password", PASSWORD]));
    for (name, account) in [("alice", ALICE), ("bob", BOB), ("alice", ALICE), ("bob", BOB)] {
        assert_eq!(claims(&as_user(name).token())["email"], account);
    }
    assert_eq!(sent(&world).len(), 2);
    let status = home.run(&["status", "-o", "json"]);
    let known = status.object();
    let methods: Vec<_> = known["sessions"].as_array().unwrap().iter().map(|session| &session["method"]).collect();
    assert_eq!(methods, ["password", "password"], "{status}");
}

/// kubectl runs a failing plugin up to five times, and issuers lock accounts.
#[test]
fn wrong_password_in_the_kubeconfig_is_sent_once() {
    in_parallel([&[][..], &[Behaviour::WrongPasswordAccessDenied]], |behaviours| {
        let (world, home) = (World::start_with(behaviours), Home::new());
        let args = by_password(&world, &["--username", "alice", "--password", WRONG, "-v", "9"]);
        let first = home.run(&args);
        first.assert_failed(1, &["Invalid user credentials", "\nNext:", "--username and --password"]);
        assert!(!first.stderr.contains(WRONG), "{first}");
        let second = home.run(&args);
        second.assert_failed(1, &[]);
        assert!(!second.stderr.contains("Error"), "{second}");
        assert_eq!(sent(&world), [WRONG]);
        home.run(&by_password(&world, &ALICES)).token();
    });
}

/// A prompt that got no input does not affect an entry without prompts.
#[test]
fn entry_without_prompt_ignores_an_expired_prompt() {
    let (world, home) = (World::start(), Home::new());
    let asked = by_password(&world, &["--username", "alice", "--authentication-timeout-sec", "1"]);
    let screen = SignIn::screen(&home, &asked);
    screen.assert_ends(3);
    let run = home.run(&by_password(&world, &ALICES));
    run.token();
    assert_empty_stderr(&run);
}

#[test]
fn cancelled_prompt_does_not_affect_other_callers() {
    let (world, home) = (World::start_with(&[Behaviour::Stall]), Home::new());
    let args = by_password(&world, &ALICES);
    for round in 1..=2 {
        let child = home.start(&args);
        assert!(world.wait_for(HANG, |log| log.token_requests("password").len() == round));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let run = Run::wait(child);
        assert_eq!(run.code, Some(143), "{run}");
        assert!(run.stderr.contains("cancelled"), "{run}");
    }
    world.clear_all();
    home.run(&args).token();
}

#[test]
fn other_method_of_login_creates_the_entrys_session() {
    let (world, home) = (World::start_with(&[Behaviour::PasswordGrantNotAllowed]), Home::new());
    let entry = by_password(&world, &ALICES);
    home.contexts(&[("own", entry.clone())]);
    home.run(&entry).assert_failed(1, &["The client may not start this flow", "kubectl login --grant-type authcode"]);
    let signed_in = home.run(&["--grant-type", "device-code", "--skip-open-browser"]);
    assert_eq!(signed_in.code, Some(0), "{signed_in}");
    home.run(&entry).token();
    assert_eq!(home.run(&["whoami"]).code, Some(0));
}

#[test]
fn whoami_and_doctor_use_the_password_without_prompt() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("own", by_password(&world, &ALICES))]);
    let doctor = home.run(&["doctor"]);
    assert!(doctor.stdout.contains("not signed in yet; the entry has the user name and password"), "{doctor}");
    home.run(&["logout"]);
    let whoami = home.run(&["whoami"]);
    assert!(whoami.stdout.contains(ALICE), "{whoami}");
}

#[test]
fn lost_connection_does_not_send_the_password_twice() {
    let (world, home) = (World::start_with(&[Behaviour::ConnectionLostAtExchange]), Home::new());
    home.make_failures_quick();
    home.run(&by_password(&world, &ALICES)).assert_failed(1, &["connection", "\nNext:"]);
    assert_eq!(sent(&world).len(), 1);
    world.clear_all();
    home.run(&by_password(&world, &ALICES)).token();
}

#[test]
fn refused_password_grant_suggests_the_page() {
    let (world, home) = (World::start_with(&[Behaviour::PasswordGrantNotAllowed]), Home::new());
    let run = home.run(&by_password(&world, &ALICES));
    run.assert_failed(1, &["The client may not start this flow", "\nNext:", "kubectl login --grant-type authcode"]);
}

#[test]
fn parallel_calls_send_the_password_once() {
    let (world, home) = (World::start(), Home::new());
    let args = by_password(&world, &ALICES);
    let tokens: Vec<_> = (0..20).map(|_| home.start(&args)).collect::<Vec<_>>().into_iter().map(Run::wait).collect();
    for run in &tokens {
        assert_eq!(run.token(), tokens[0].token());
    }
    assert_eq!(sent(&world).len(), 1);
}

#[test]
fn missing_terminal_names_the_flags() {
    let (world, home) = (World::start(), Home::new());
    let name: &[&str] = &["--grant-type", "auto", "--username", "alice"];
    for more in [name, &["--grant-type", "password"], &[name, &["--prompt", "never"]].concat()] {
        home.run(&oidc(&world, more))
            .assert_failed(3, &["sign-in required", "\nNext:", "kubectl login", "--username and --password"]);
    }
    // The prompt is allowed, but without a terminal there is no input.
    home.run(&by_password(&world, &["--prompt", "always"]))
        .assert_failed(3, &["which takes a terminal", "\nNext:", "kubectl login"]);
    assert!(sent(&world).is_empty());
}

/// A sign-in on a terminal; stdout is redirected to a file, as by kubectl.
struct SignIn {
    world: World,
    home: Home,
    screen: Screen,
}

impl SignIn {
    fn start(more: &[&str]) -> SignIn {
        let (world, home) = (World::start(), Home::new());
        let args = by_password(&world, more);
        let screen = SignIn::screen(&home, &args);
        SignIn { world, home, screen }
    }

    fn screen(home: &Home, args: &[String]) -> Screen {
        let words = ["sh", "-c", WRAPPER, "sh", PLUGIN].into_iter().chain(args.iter().map(String::as_str));
        Setting::new(home).size(120, 50).redirect_stdout().program(&words.collect::<Vec<_>>())
    }

    /// Types a user name, after so many prompts for it.
    #[track_caller]
    fn type_name(&self, name: &str, times: usize) {
        self.wait_for_prompt("Type your user name and press Enter:", times);
        self.screen.until("the terminal shows what is typed", || self.screen.echoes().then_some(()));
        self.screen.type_line(name);
    }

    /// Types Alice's password, or a wrong one.
    #[track_caller]
    fn type_password(&self, password: &str, times: usize) {
        self.wait_for_prompt("Type the password of alice and press Enter. (It is not shown.)", times);
        self.screen.until("the terminal shows nothing", || (!self.screen.echoes()).then_some(()));
        self.screen.type_line(password);
    }

    #[track_caller]
    fn wait_for_prompt(&self, question: &str, times: usize) {
        let asked = || self.screen.history().matches(question).count();
        self.screen.until(question, || (asked() == times).then_some(()));
    }

    #[track_caller]
    fn assert_succeeds(&self) {
        self.screen.assert_ends(0);
        let shown = self.screen.history();
        assert!(shown.contains("Signed in as alice@contoso.example"), "{shown}");
        assert!(!shown.contains(PASSWORD), "{shown}");
        assert!(self.screen.stdout().contains("\"token\""));
    }
}

#[test]
fn typed_name_is_shown_and_typed_password_is_not() {
    let sign_in = SignIn::start(&[]);
    sign_in.type_name("alice", 1);
    sign_in.type_password(PASSWORD, 1);
    sign_in.assert_succeeds();
    let shown = sign_in.screen.history();
    assert!(shown.contains("\nalice\n"), "{shown}");
    assert!(shown.contains(&format!("Sign in to Kubernetes (issuer {}).", sign_in.world.issuer())), "{shown}");
    assert!(shown.contains("You have 3 minutes."), "{shown}");
}

#[test]
fn typed_password_is_sent_unchanged() {
    let sign_in = SignIn::start(&["--username", "alice"]);
    sign_in.type_password(&format!("  {PASSWORD}  "), 1);
    sign_in.screen.wait_for("does not accept that user name and password (Invalid user credentials). Try again.");
    sign_in.type_password(PASSWORD, 2);
    sign_in.assert_succeeds();
    assert_eq!(sent(&sign_in.world), [format!("  {PASSWORD}  "), PASSWORD.to_owned()]);
    assert!(!sign_in.screen.history().contains("Type your user name"));
}

/// With any user name.
#[test]
fn wrong_password_in_the_kubeconfig_is_sent_once_with_a_typed_name() {
    let sign_in = SignIn::start(&["--password", WRONG]);
    sign_in.type_name("alice", 1);
    sign_in.screen.assert_ends(1);
    assert_eq!(sent(&sign_in.world), [WRONG]);
    assert!(sign_in.screen.history().contains("Check --username and --password"), "{}", sign_in.screen.history());
}

#[test]
fn ctrl_d_ends_the_name_prompt_but_not_the_password_prompt() {
    let sign_in = SignIn::start(&[]);
    sign_in.wait_for_prompt("Type your user name and press Enter:", 1);
    sign_in.screen.press(&["C-d"]);
    sign_in.screen.assert_ends(3);
    assert!(sign_in.screen.history().contains("the sign-in was cancelled"), "{}", sign_in.screen.history());

    let sign_in = SignIn::start(&[]);
    sign_in.type_name("alice", 1);
    sign_in.wait_for_prompt("Type the password of alice", 1);
    sign_in.screen.until("the terminal shows nothing", || (!sign_in.screen.echoes()).then_some(()));
    sign_in.screen.press(&["C-d"]);
    sign_in.screen.type_line(PASSWORD);
    sign_in.assert_succeeds();
    assert_eq!(sent(&sign_in.world), [PASSWORD]);
}

#[test]
fn third_wrong_password_ends_the_sign_in() {
    let sign_in = SignIn::start(&[]);
    for attempt in 1..=3 {
        sign_in.type_name("alice", attempt);
        sign_in.type_password(WRONG, attempt);
    }
    sign_in.screen.assert_ends(3);
    let shown = sign_in.screen.history();
    assert!(shown.contains("Invalid user credentials") && shown.contains("Try again: kubectl login"), "{shown}");
    assert!(!shown.contains(WRONG), "{shown}");
    assert_eq!(sent(&sign_in.world).len(), 3);
}

#[test]
fn terminal_settings_are_restored_after_each_ending() {
    type End = (i32, &'static [&'static str], fn(&SignIn));
    let terminate = |sign_in: &SignIn| {
        let pid = std::fs::read_to_string(sign_in.home.path().join("pid")).unwrap();
        kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), Signal::TERM).unwrap();
    };
    let name: &[&str] = &[];
    let password: &[&str] = &["--username", "alice"];
    let ends: [End; 5] = [
        (130, name, |sign_in| sign_in.screen.press(&["C-c"])),
        (130, password, |sign_in| sign_in.screen.press(&["C-c"])),
        (143, name, terminate),
        (143, password, terminate),
        (3, &["--authentication-timeout-sec", "1"], |_| ()),
    ];
    in_parallel(ends, |(code, more, end)| {
        let sign_in = SignIn::start(more);
        sign_in.screen.wait_for("press Enter");
        end(&sign_in);
        sign_in.screen.assert_ends(code);
        assert_eq!(sign_in.screen.stdout(), "");
        if code == 3 {
            sign_in.screen.wait_for("user name and password were not typed within 1 second");
        }
    });
}

/// A typed password for an entry with another method creates that entry's session.
#[test]
fn typed_password_creates_the_session_of_an_entry_with_another_method() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("own", oidc(&world, &["--grant-type", "device-code"]))]);
    let args = ["--grant-type", "password"].map(str::to_owned);
    let screen = SignIn::screen(&home, &args);
    let sign_in = SignIn { world, home, screen };
    sign_in.type_name("alice", 1);
    sign_in.type_password(PASSWORD, 1);
    sign_in.screen.assert_ends(0);
    assert!(sign_in.screen.stdout().contains("Signed in as alice@contoso.example"), "{}", sign_in.screen.stdout());
    let entry = oidc(&sign_in.world, &["--grant-type", "device-code", "--prompt", "never"]);
    sign_in.home.run(&entry).token();
    assert!(sign_in.world.device_requests().is_empty());
    assert!(!sign_in.world.wait_for(Duration::ZERO, |log| log.count("/authorize") > 0));
}
