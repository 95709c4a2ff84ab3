//! Which of the two tools' flags are meant, which environment variables are used, and what is not supported yet.

use sim::World;

use crate::common::{ALWAYS, Home, Run, entra, in_parallel, oidc};

/// `get-token` with environment variables.
fn run_in(home: &Home, variables: &[(&str, &str)], args: &[String]) -> Run {
    Run::of(home.plugin(args).envs(variables.iter().copied()))
}

/// The arguments of an AKS entry without client and tenant.
fn bare(world: &World, more: &[&str]) -> Vec<String> {
    let authority = world.authority();
    let args = [&["get-token", "--server-id", sim::SERVER, "--authority-host", &authority], more].concat();
    args.into_iter().map(str::to_owned).collect()
}

/// Client and tenant of the only device request.
fn requested(world: &World) -> (String, String) {
    let requests = world.device_requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let tenant = requests[0].path.split('/').nth(1).unwrap().to_owned();
    (requests[0].field("client_id").to_owned(), tenant)
}

#[test]
fn flags_of_both_dialects_are_a_usage_error() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &["--oidc-issuer-url", "https://issuer.example.invalid", "--prompt", "always"]))
        .assert_failed(2, &["--oidc-issuer-url", "\nNext: "]);
    home.run(&oidc(&world, &["--tenant-id", "x", "--prompt", "always"])).assert_failed(2, &["--tenant-id"]);
    home.run(&oidc(&world, &["-t", "x", "--prompt", "always"])).assert_failed(2, &["--tenant-id"]);
    assert!(world.requests().is_empty());
}

#[test]
fn missing_dialect_flags_are_a_usage_error() {
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
fn oidc_entry_ignores_azure_variables() {
    let (world, home) = (World::start(), Home::new());
    let azure = [("AZURE_CLIENT_ID", "x"), ("AZURE_TENANT_ID", "y"), ("AAD_LOGIN_METHOD", "spn")];
    run_in(&home, &azure, &oidc(&world, &ALWAYS)).token();
    assert_eq!(world.device_requests()[0].field("client_id"), sim::OIDC_CLIENT);
}

#[test]
fn flag_overrides_the_environment_for_interactive_methods() {
    let (world, home) = (World::start(), Home::new());
    let variables = [
        ("AZURE_CLIENT_ID", sim::OWN_CLIENT),
        ("AZURE_TENANT_ID", sim::OTHER_TENANT),
        ("AAD_SERVICE_PRINCIPAL_CLIENT_ID", "x"),
    ];
    run_in(&home, &variables, &entra(&world, &ALWAYS)).token();
    assert_eq!(requested(&world), (sim::CLIENT.to_owned(), sim::TENANT.to_owned()));
}

#[test]
fn environment_is_used_without_flags() {
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
        assert_eq!(requested(&world), (sim::OWN_CLIENT.to_owned(), sim::OTHER_TENANT.to_owned()), "{variables:?}");
    });
}

#[test]
fn empty_variable_counts_as_unset() {
    let (world, home) = (World::start(), Home::new());
    let empty = [("AZURE_CLIENT_ID", ""), ("AZURE_TENANT_ID", ""), ("AAD_LOGIN_METHOD", ""), ("CI", "")];
    run_in(&home, &empty, &bare(&world, &ALWAYS)).assert_failed(2, &["--client-id", "--tenant-id"]);
    assert!(world.requests().is_empty());
    run_in(&home, &empty, &entra(&world, &ALWAYS)).token();
    assert_eq!(requested(&world), (sim::CLIENT.to_owned(), sim::TENANT.to_owned()));
}

#[test]
fn environment_can_be_disabled() {
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
fn method_variable_overrides_the_flag() {
    let (world, home) = (World::start(), Home::new());
    run_in(&home, &[("AAD_LOGIN_METHOD", "msi")], &entra(&world, &ALWAYS))
        .assert_failed(1, &["AAD_LOGIN_METHOD=msi is not supported yet"]);
    assert!(world.requests().is_empty());
    run_in(&home, &[("AAD_LOGIN_METHOD", "devicecode")], &entra(&world, &["--login", "spn", "--prompt", "always"]))
        .token();
}

#[test]
fn other_azure_methods_are_not_supported_yet() {
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
fn methods_without_client_or_tenant_are_not_supported_yet() {
    let home = Home::new();
    for method in ["azurecli", "azd", "msi"] {
        home.run(&["get-token", "--server-id", sim::SERVER, "--login", method])
            .assert_failed(1, &[method, "not supported yet"]);
    }
}

#[test]
fn other_oidc_grants_are_not_supported_yet() {
    let (world, home) = (World::start(), Home::new());
    home.run(&oidc(&world, &["--grant-type", "client-credentials", "--prompt", "always"]))
        .assert_failed(1, &["client-credentials", "not supported yet", "\nNext: ", "device-code"]);
    assert!(world.requests().is_empty());
}

/// Both peers have these flags, for one method each.
#[test]
fn user_name_and_password_belong_to_both_dialects() {
    let (world, home) = (World::start(), Home::new());
    let credentials = ["--username", "alice", "--password", "secret-word", "--prompt", "always"];
    home.run(&entra(&world, &credentials)).token();
    home.run(&oidc(&world, &credentials)).token();
    assert!(world.token_requests("password").is_empty());
}

#[test]
fn unknown_method_or_grant_lists_the_known_ones() {
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
fn later_flag_overrides_an_earlier_one() {
    let (world, home) = (World::start(), Home::new());
    let more = ["--tenant-id", sim::OTHER_TENANT, "--login", "spn", "--login", "devicecode", "--prompt", "always"];
    home.run(&entra(&world, &more)).token();
    assert_eq!(requested(&world), (sim::CLIENT.to_owned(), sim::OTHER_TENANT.to_owned()));
}
