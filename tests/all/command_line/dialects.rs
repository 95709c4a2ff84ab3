//! Which of the two tools' flags are meant, what of the environment counts, and what is not there yet.

use sim::World;

use crate::common::{ALWAYS, Home, Run, entra, in_parallel, oidc};

/// `get-token` with variables of the environment.
fn run_in(home: &Home, variables: &[(&str, &str)], args: &[String]) -> Run {
    Run::of(home.plugin(args).envs(variables.iter().copied()))
}

/// The arguments of an AKS entry without client and tenant.
fn bare(world: &World, more: &[&str]) -> Vec<String> {
    let authority = world.authority();
    let args = [&["get-token", "--server-id", sim::SERVER, "--authority-host", &authority], more].concat();
    args.into_iter().map(str::to_owned).collect()
}

/// Client and tenant of the one device request there was.
fn asked(world: &World) -> (String, String) {
    let requests = world.device_requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let tenant = requests[0].path.split('/').nth(1).unwrap().to_owned();
    (requests[0].field("client_id").to_owned(), tenant)
}

#[test]
fn flags_of_both_dialects_at_once_are_a_usage_error_that_names_one_of_each() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &["--oidc-issuer-url", "https://issuer.example.invalid", "--prompt", "always"]))
        .assert_failed(2, &["--oidc-issuer-url", "\nNext: "]);
    home.run(&oidc(&world, &["--tenant-id", "x", "--prompt", "always"])).assert_failed(2, &["--tenant-id"]);
    home.run(&oidc(&world, &["-t", "x", "--prompt", "always"])).assert_failed(2, &["--tenant-id"]);
    assert!(world.requests().is_empty());
}

#[test]
fn no_flag_of_either_dialect_is_a_usage_error_whatever_the_environment_says() {
    let home = Home::new();
    let azure = [("AZURE_CLIENT_ID", sim::CLIENT), ("AZURE_TENANT_ID", sim::TENANT), ("AAD_LOGIN_METHOD", "spn")];
    for args in [&["get-token"][..], &["get-token", "--force-refresh"], &["get-token", "--cache-dir", "x"]] {
        let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
        for variables in [&[][..], &azure[..]] {
            run_in(&home, variables, &args).assert_failed(2, &["--server-id", "--oidc-issuer-url"]);
        }
    }
}

#[test]
fn an_entry_for_an_openid_connect_issuer_does_not_heed_azures_variables() {
    let (world, home) = (World::start(), Home::new());
    let azure = [("AZURE_CLIENT_ID", "x"), ("AZURE_TENANT_ID", "y"), ("AAD_LOGIN_METHOD", "spn")];
    run_in(&home, &azure, &oidc(&world, &ALWAYS)).token();
    assert_eq!(world.device_requests()[0].field("client_id"), sim::OIDC_CLIENT);
}

#[test]
fn with_a_person_in_front_a_flag_wins_over_the_environment() {
    let (world, home) = (World::start(), Home::new());
    let variables = [
        ("AZURE_CLIENT_ID", sim::OWN_CLIENT),
        ("AZURE_TENANT_ID", sim::OTHER_TENANT),
        ("AAD_SERVICE_PRINCIPAL_CLIENT_ID", "x"),
    ];
    run_in(&home, &variables, &entra(&world, &ALWAYS)).token();
    assert_eq!(asked(&world), (sim::CLIENT.to_owned(), sim::TENANT.to_owned()));
}

#[test]
fn the_environment_fills_what_no_flag_says() {
    let azure = [("AZURE_CLIENT_ID", sim::OWN_CLIENT), ("AZURE_TENANT_ID", sim::OTHER_TENANT)];
    let older = [("AAD_SERVICE_PRINCIPAL_CLIENT_ID", sim::OWN_CLIENT), ("AZURE_TENANT_ID", sim::OTHER_TENANT)];
    let arm = [
        ("ARM_CLIENT_ID", sim::OWN_CLIENT),
        ("ARM_TENANT_ID", sim::OTHER_TENANT),
        ("AZURE_CLIENT_ID", "x"),
        ("AZURE_TENANT_ID", "y"),
    ];
    let runs = [(&azure[..], &[][..]), (&older[..], &[]), (&arm[..], &["--use-azurerm-env-vars"])];
    in_parallel(runs, |(variables, more)| {
        let (world, home) = (World::start(), Home::new());
        run_in(&home, variables, &bare(&world, &[&ALWAYS, more].concat())).token();
        assert_eq!(asked(&world), (sim::OWN_CLIENT.to_owned(), sim::OTHER_TENANT.to_owned()), "{variables:?}");
    });
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let (world, home) = (World::start(), Home::new());
    let empty = [("AZURE_CLIENT_ID", ""), ("AZURE_TENANT_ID", ""), ("AAD_LOGIN_METHOD", ""), ("CI", "")];
    run_in(&home, &empty, &bare(&world, &ALWAYS)).assert_failed(2, &["--client-id", "--tenant-id"]);
    assert!(world.requests().is_empty());
    run_in(&home, &empty, &entra(&world, &ALWAYS)).token();
    assert_eq!(asked(&world), (sim::CLIENT.to_owned(), sim::TENANT.to_owned()));
}

#[test]
fn the_environment_can_be_switched_off() {
    let (world, home) = (World::start(), Home::new());
    let azure =
        [("AZURE_CLIENT_ID", sim::OWN_CLIENT), ("AZURE_TENANT_ID", sim::OTHER_TENANT), ("AAD_LOGIN_METHOD", "spn")];
    for off in ["--disable-environment-override", "--disable-environment-override=true"] {
        run_in(&home, &azure, &bare(&world, &[off, "--prompt", "always"]))
            .assert_failed(2, &["--client-id", "--tenant-id"]);
    }
    run_in(&home, &azure, &entra(&world, &["--disable-environment-override=false"]))
        .assert_failed(1, &["spn", "not supported yet"]);
    assert!(world.requests().is_empty());
    run_in(&home, &azure, &entra(&world, &["--disable-environment-override", "--prompt", "always"])).token();
}

#[test]
fn the_method_variable_wins_over_the_flag_both_ways() {
    let (world, home) = (World::start(), Home::new());
    run_in(&home, &[("AAD_LOGIN_METHOD", "msi")], &entra(&world, &ALWAYS))
        .assert_failed(1, &["AAD_LOGIN_METHOD=msi is not supported yet"]);
    assert!(world.requests().is_empty());
    run_in(&home, &[("AAD_LOGIN_METHOD", "devicecode")], &entra(&world, &["--login", "spn", "--prompt", "always"]))
        .token();
}

#[test]
fn every_other_method_of_azures_kubelogin_is_known_and_not_there_yet() {
    let (world, home) = (World::start(), Home::new());
    for method in ["spn", "ropc", "msi", "azurecli", "azd", "workloadidentity", "azurepipelines"] {
        let words = [method, "not supported yet", "\nNext: ", "devicecode"];
        home.run(&entra(&world, &["--login", method, "--prompt", "always"])).assert_failed(1, &words);
        home.run(&entra(&world, &["-l", method, "--prompt", "always"])).assert_failed(1, &words);
    }
    for switch in ["--legacy", "--pop-enabled", "--pop-enabled=true"] {
        home.run(&entra(&world, &[switch, "--pop-claims", "u=x", "--prompt", "always"]))
            .assert_failed(1, &["not supported yet"]);
    }
    assert!(world.requests().is_empty());
}

#[test]
fn methods_that_need_no_client_or_tenant_are_answered_the_same() {
    let home = Home::new();
    for method in ["azurecli", "azd", "msi"] {
        home.run(&["get-token", "--server-id", sim::SERVER, "--login", method])
            .assert_failed(1, &[method, "not supported yet"]);
    }
}

#[test]
fn every_other_grant_of_int128s_kubelogin_is_known_and_not_there_yet() {
    let (world, home) = (World::start(), Home::new());
    home.run(&oidc(&world, &["--grant-type", "client-credentials", "--prompt", "always"]))
        .assert_failed(1, &["client-credentials", "not supported yet", "\nNext: ", "device-code"]);
    assert!(world.requests().is_empty());
}

/// Both peers have them, for a method each.
#[test]
fn user_name_and_password_say_nothing_about_the_dialect() {
    let (world, home) = (World::start(), Home::new());
    let credentials = ["--username", "alice", "--password", "secret-word", "--prompt", "always"];
    home.run(&entra(&world, &credentials)).token();
    home.run(&oidc(&world, &credentials)).token();
    assert!(world.token_requests("password").is_empty());
}

#[test]
fn an_unknown_method_or_grant_is_a_usage_error_that_lists_the_known() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &["--login", "carrier-pigeon"])).assert_failed(
        2,
        &["carrier-pigeon", "Use one of devicecode, interactive, auto.", "not supported yet: spn", "workloadidentity"],
    );
    home.run(&oidc(&world, &["--grant-type", "implicit"])).assert_failed(2, &["implicit", "device-code", "authcode"]);
    let run = run_in(&home, &[("AAD_LOGIN_METHOD", "DeviceCode\u{1b}[2J")], &entra(&world, &[]));
    run.assert_failed(2, &["devicecode"]);
    assert!(!run.stderr.contains('\u{1b}'), "{run}");
    assert!(world.requests().is_empty());
}

#[test]
fn a_later_flag_wins_over_an_earlier_one() {
    let (world, home) = (World::start(), Home::new());
    let more = ["--tenant-id", sim::OTHER_TENANT, "--login", "spn", "--login", "devicecode", "--prompt", "always"];
    home.run(&entra(&world, &more)).token();
    assert_eq!(asked(&world), (sim::CLIENT.to_owned(), sim::OTHER_TENANT.to_owned()));
}
