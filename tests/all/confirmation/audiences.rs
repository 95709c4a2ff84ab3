//! A session is used for the audiences that all tenants have, and for those that the user has confirmed.

use std::process::Stdio;

use sim::{ALICE, ARC_SERVER, BOB, World};

use crate::common::browser::{Issuer, Opener, SHOW_ADDRESS, SignIn};
use crate::common::tmux::{Screen, Setting};
use crate::common::{ALWAYS, Home, Run, claims, entra, signed_in};

/// An audience that a foreign kubeconfig may ask for.
const OTHER: &str = "api://payroll";

fn for_audience(world: &World, audience: &str, more: &[&str]) -> Vec<String> {
    entra(world, &[&["--server-id", audience], more].concat())
}

/// Asserts a token without a prompt.
#[track_caller]
fn assert_silent(run: &Run, audience: &str) {
    assert_eq!(claims(&run.token())["aud"], audience, "{run}");
    assert_eq!(run.stderr, "");
}

#[track_caller]
fn assert_refused(world: &World, run: &Run, audience: &str) {
    let words = [&format!("has not been used for the audience \"{audience}\""), "confirm it: kubectl login"];
    run.assert_failed(3, &words);
    assert!(world.requests().is_empty(), "{:?}", world.requests());
}

#[test]
fn other_audience_needs_a_terminal() {
    let (world, home, _) = signed_in(entra);
    for audience in [OTHER, sim::OTHER_SERVER, "https://payroll.contoso.example", "api://graph.microsoft.com"] {
        for more in [&["--prompt", "never"][..], &ALWAYS, &[], &["--force-refresh"]] {
            assert_refused(&world, &home.run_as_new_caller(&for_audience(&world, audience, more)), audience);
        }
    }
    // Audiences that all tenants have need no confirmation.
    assert_silent(&home.run(&for_audience(&world, ARC_SERVER, &[])), ARC_SERVER);
}

#[test]
fn next_step_names_the_context_of_the_entry() {
    let (world, home, _) = signed_in(entra);
    let args = for_audience(&world, OTHER, &["--prompt", "never"]);
    for (contexts, command) in [
        (vec![("prod", entra(&world, &[])), ("payroll", args.clone())], "kubectl login payroll\n"),
        (vec![("payroll", args.clone())], "kubectl login payroll\n"),
        (vec![("prod", entra(&world, &[]))], "kubectl login\n"),
    ] {
        home.contexts(&contexts);
        home.run_as_new_caller(&args).assert_failed(3, &[&format!("confirm it: {command}")]);
    }
    home.contexts(&[("prod", entra(&world, &[])), ("payroll", args)]);
    home.run(&["whoami", "payroll"]).assert_failed(3, &["confirm it: kubectl login payroll\n"]);
    let report = home.run(&["doctor", "payroll"]);
    assert!(report.stdout.contains("confirm it: kubectl login payroll\n"), "{report}");
}

#[test]
fn microsoft_service_audience_is_refused() {
    let (world, home, _) = signed_in(entra);
    for audience in [
        "https://servicebus.azure.net",
        "HTTPS://ServiceBus.Azure.NET:443//.default",
        "spn:https://servicebus.azure.net/",
        "https://kusto.kusto.windows.net",
        "https://analysis.windows.net/powerbi/api",
        "https://adb-1.2.azuredatabricks.net",
        "https://dev.azure.com",
        "https://servicebus%2eazure.net",
        "https:servicebus.azure.net",
        "https://x@servicebus.azure.net",
    ] {
        let run = home.run(&for_audience(&world, audience, &ALWAYS));
        run.assert_failed(2, &["is not handed to a cluster", "\nNext: "]);
    }
    assert!(world.requests().is_empty());
}

#[test]
fn login_confirms_an_audience_in_all_spellings() {
    let (world, home, _) = signed_in(entra);
    let https = "https://aks.contoso.example";
    home.contexts(&[
        ("prod", entra(&world, &[])),
        ("payroll", for_audience(&world, OTHER, &[])),
        ("web", for_audience(&world, https, &[])),
    ]);
    for (context, audience) in [("payroll", OTHER), ("web", https)] {
        let login = home.run(&[context]);
        assert_eq!(login.code, Some(0), "{login}");
        assert!(login.stdout.contains(&format!("for the audience \"{audience}\"")), "{login}");
        assert!(world.device_requests().is_empty());
    }
    for spelling in [OTHER, "api://payroll/", "API://payroll/.default", "spn:api://payroll"] {
        assert_silent(&home.run(&for_audience(&world, spelling, &["--force-refresh"])), OTHER);
    }
    for spelling in ["HTTPS://AKS.contoso.example:443/", "https://%61ks.contoso.example"] {
        assert_silent(&home.run(&for_audience(&world, spelling, &["--force-refresh"])), https);
    }
    // The same host with another port is another audience, but it is AKS's usual one.
    world.reset_requests();
    let other_port = "https://aks.contoso.example:8443";
    assert_refused(&world, &home.run(&for_audience(&world, other_port, &ALWAYS)), other_port);
    let login = home.run(&["prod"]);
    assert!(!login.stdout.contains("audience"), "{login}");
}

#[test]
fn sign_in_prompt_confirms_the_audience() {
    let (world, home) = (World::start(), Home::new());
    let run = home.run(&for_audience(&world, OTHER, &ALWAYS));
    run.token();
    assert!(run.stderr.contains(&format!("The token is for the audience \"{OTHER}\".")), "{run}");
    assert_silent(&home.run(&for_audience(&world, OTHER, &["--force-refresh"])), OTHER);
    // The confirmation is valid for the same user's next sign-in, and not for another user's.
    world.revoke_all();
    home.run(&entra(&world, &[&ALWAYS[..], &["--force-refresh"]].concat())).token();
    assert_silent(&home.run(&for_audience(&world, OTHER, &["--force-refresh"])), OTHER);
    world.revoke_all();
    world.sign_in_as(BOB);
    home.run_as_new_caller(&entra(&world, &[&ALWAYS[..], &["--force-refresh"]].concat())).token();
    world.reset_requests();
    assert_refused(&world, &home.run_as_new_caller(&for_audience(&world, OTHER, &ALWAYS)), OTHER);
}

/// A browser that is already signed in would continue before the user reads anything.
#[test]
fn page_asks_for_the_account_if_the_audience_is_unconfirmed() {
    let (world, home) = (World::start(), Home::new());
    let args = Issuer::Entra.by_browser(&world, &[&SHOW_ADDRESS[..], &["--server-id", OTHER]].concat());
    let sign_in = SignIn::start(&mut home.plugin(&args));
    assert_eq!(sign_in.parameter("prompt"), "select_account");
    sign_in.finish();
    let known = SignIn::start(&mut Home::new().plugin(&Issuer::Entra.by_browser(&world, &SHOW_ADDRESS)));
    assert_eq!(known.parameter("prompt"), "");
}

#[test]
fn desktop_without_terminal_does_not_open_a_page_for_another_audience() {
    let (world, home, opener) = (World::start(), Home::new(), Opener::new());
    let args = Issuer::Entra.by_browser(&world, &["--server-id", OTHER, &opener.flag()]);
    let run = Run::of(home.plugin(&args).env("DISPLAY", ":99").stdout(Stdio::piped()));
    assert_refused(&world, &run, OTHER);
    assert!(!opener.was_started());
}

fn screen(home: &Home, args: &[String]) -> Screen {
    Setting::new(home).redirect_stdout().plugin(args)
}

#[test]
fn yes_at_a_terminal_confirms_an_audience() {
    let (world, home, _) = signed_in(entra);
    let args = for_audience(&world, OTHER, &[]);
    let screen = screen(&home, &args);
    screen.wait_for("and press Enter:");
    let shown = screen.history();
    assert!(shown.contains(&format!("\"{OTHER}\"")) && shown.contains(sim::TENANT), "{shown}");
    assert!(world.requests().is_empty());
    screen.type_text("yes");
    screen.press(&["Enter"]);
    assert_eq!(screen.wait_for_exit(), 0, "{}", screen.history());
    assert!(screen.stdout().contains("\"token\""));
    assert_silent(&home.run(&for_audience(&world, OTHER, &["--force-refresh"])), OTHER);
    assert_eq!(claims(&home.run(&args).token())["upn"], ALICE);
}

#[test]
fn anything_but_yes_at_a_terminal_gives_no_token() {
    for keys in [&["n", "Enter"][..], &["C-d"], &["C-c"]] {
        let (world, home, _) = signed_in(entra);
        let screen = screen(&home, &for_audience(&world, OTHER, &[]));
        screen.wait_for("and press Enter:");
        screen.press(keys);
        let code = if keys == ["C-c"] { 130 } else { 3 };
        assert_eq!(screen.wait_for_exit(), code, "{keys:?}: {}", screen.history());
        assert_eq!(screen.stdout(), "");
        assert!(world.requests().is_empty());
    }
}

/// The record of an earlier version has no list of audiences, but its tokens are still cached.
#[test]
fn session_of_an_earlier_version_keeps_its_audiences() {
    use kubectl_login::environment::Environment;
    use kubectl_login::store::{SessionRecord, Store};
    let (world, home) = (World::start(), Home::new());
    home.run(&for_audience(&world, OTHER, &ALWAYS)).token();
    let store = Store::open(Some(home.state()), &Environment::default());
    let (id, _, facts) = store.sessions().remove(0);
    let (_, record, sealing_key) = store.session(&id).found().unwrap();
    let old = SessionRecord { audiences: Vec::new(), ..record };
    store.save_session(&sealing_key, &id, &facts, &old).unwrap();
    assert_silent(&home.run(&for_audience(&world, OTHER, &["--force-refresh"])), OTHER);
    world.reset_requests();
    assert_refused(&world, &home.run(&for_audience(&world, "api://other", &ALWAYS)), "api://other");
}

/// Version 1.0 endpoints ignore scopes. They are not used before the audience is confirmed.
#[test]
fn audience_in_an_entra_parameter_needs_confirmation() {
    let (home, opener) = (Home::new(), Opener::new());
    let issuer = format!("https://sts.windows.net/{}/", sim::TENANT);
    let scope = format!("--oidc-extra-scope={}/.default", sim::SERVER);
    let resource = format!("--oidc-auth-request-extra-params=Resource={OTHER}");
    let entry = ["get-token", "--oidc-issuer-url", &issuer, "--oidc-client-id", "x", "--oidc-use-access-token"];
    let browser = opener.flag();
    let args = [&entry[..], &["--grant-type=authcode", &browser, &scope, &resource]].concat();
    let run = Run::of(home.plugin(&args).env("DISPLAY", ":99"));
    run.assert_failed(3, &[&format!("has not been used for the audience \"{OTHER}\""), "confirm it: kubectl login"]);
    assert!(!opener.was_started());
}
