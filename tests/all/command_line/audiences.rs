//! Audiences that no cluster has are refused before any request: a foreign kubeconfig must not be able to send such a
//! token to its server.

use sim::World;

use crate::common::{ALWAYS, Home, entra, oidc};

/// Microsoft Graph, Azure Resource Manager and Key Vault, in all spellings.
const FOREIGN: [&str; 17] = [
    "00000003-0000-0000-c000-000000000000",
    "00000003-0000-0000-C000-000000000000/.default",
    "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    "797F4846-BA00-4FD7-BA43-DAC1F8F63013/",
    "spn:797f4846-ba00-4fd7-ba43-dac1f8f63013",
    "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
    "https://graph.microsoft.com",
    "https://graph.microsoft.com/",
    "HTTPS://Graph.Microsoft.COM//.default",
    "https://graph.microsoft.com/User.Read",
    "https://graph.windows.net/",
    "https://management.azure.com",
    "https://management.azure.com//.default",
    "https://management.core.windows.net/",
    "https://management.usgovcloudapi.net/.default",
    "https://vault.azure.net/.default",
    "https://contoso.vault.azure.net/",
];

#[test]
fn foreign_server_id_is_refused() {
    let (world, home) = (World::start(), Home::new());
    for foreign in FOREIGN {
        let run = home.run(&entra(&world, &["--server-id", foreign, "--prompt", "always"]));
        run.assert_failed(2, &["is not handed to a cluster", "\nNext: "]);
    }
    assert!(world.requests().is_empty());
}

#[test]
fn two_audiences_in_one_flag_are_refused() {
    let (world, home) = (World::start(), Home::new());
    for two in [
        format!("{} https://graph.microsoft.com/.default", sim::SERVER),
        format!("{}/.default\thttps://graph.microsoft.com", sim::SERVER),
    ] {
        home.run(&entra(&world, &["--server-id", &two, "--prompt", "always"])).assert_failed(2, &["--server-id"]);
    }
    assert!(world.requests().is_empty());
}

#[test]
fn foreign_scope_is_refused_for_each_kind_of_token() {
    let (world, home) = (World::start(), Home::new());
    for foreign in ["https://graph.microsoft.com/.default", "https://management.azure.com//.default"] {
        for scopes in [foreign.to_owned(), format!("groups,{foreign}")] {
            let more = ["--oidc-extra-scope", &scopes, "--oidc-use-access-token", "--prompt", "always"];
            home.run(&oidc(&world, &more)).assert_failed(2, &["is not handed to a cluster"]);
            // Another entry would share the session, and its scopes.
            let more = ["--oidc-extra-scope", &scopes, "--prompt", "always"];
            home.run(&oidc(&world, &more)).assert_failed(2, &["is not handed to a cluster"]);
        }
    }
    assert!(world.requests().is_empty());
}

/// The same audience by the flags for any issuer: it is refused before any request.
#[test]
fn entra_access_token_for_graph_is_refused() {
    let home = Home::new();
    let issuer = format!("https://login.microsoftonline.com/{}/v2.0", sim::TENANT);
    let args = ["get-token", "--oidc-issuer-url", &issuer, "--oidc-client-id", "x", "--oidc-use-access-token"];
    for scopes in ["email", "User.Read"] {
        let run = home.run(&[&args[..], &["--oidc-extra-scope", scopes, "--prompt", "always"]].concat());
        run.assert_failed(2, &["Microsoft Graph", "is not handed to a cluster", "\nNext: "]);
    }
}

#[test]
fn default_scope_is_accepted_as_server_id() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    world.reset_requests();
    for spelling in [format!("{}/.default", sim::SERVER), format!("{}/", sim::SERVER)] {
        assert_eq!(home.run(&entra(&world, &["--server-id", &spelling])).token(), token);
    }
    assert!(world.requests().is_empty());
}
