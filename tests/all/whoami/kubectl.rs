//! Whom kubectl acts as if the kubeconfig user has other credentials than this plugin's, or additional ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sim::{Behaviour, STATIC_TOKEN};

use crate::common::JSON;
use crate::whoami::Case;

fn rewrite(case: &Case, change: impl Fn(&str) -> String) {
    case.home.rewrite(".kube/config", change);
}

fn beside_exec(case: &Case, keys: &str) {
    rewrite(case, |text| text.replacen("    exec:\n", &format!("{keys}    exec:\n"), 1));
}

#[test]
fn token_beside_exec_decides_whom_kubectl_acts_as() {
    let case = Case::entra(&[]).signed_in();
    beside_exec(&case, &format!("    token: {STATIC_TOKEN}\n"));
    let said = case.whoami(&[]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stdout.contains("account      alice@contoso.example"), "{said}");
    let kubectl = "kubectl      would be system:serviceaccount:default:ci, in 2 groups, by a token: token (line ";
    assert!(said.stdout.contains(kubectl), "{said}");
    assert!(
        said.stderr.contains("Warning: kubectl does not run the plugin") && said.stderr.contains("Delete token (line "),
        "{said}"
    );
    assert!(!said.to_string().contains(STATIC_TOKEN), "{said}");
    let json = case.whoami(&JSON).object();
    assert_eq!(json["kubectl"]["username"], "system:serviceaccount:default:ci");
    assert_eq!(json["username"], "alice@contoso.example");

    // For kubectl no session is needed.
    case.home.run(&["logout", "--all"]);
    let said = case.whoami(&[]);
    assert!(said.code == Some(0) && said.stdout.starts_with(kubectl), "{said}");
}

#[test]
fn impersonation_decides_whom_kubectl_acts_as() {
    let case = Case::entra(&[]).signed_in();
    beside_exec(&case, "    as: admin\n");
    let said = case.whoami(&[]);
    assert!(said.stdout.contains("kubectl      would be admin, in 2 groups, by an exec plugin"), "{said}");
    assert!(said.stderr.contains("kubectl acts as \"admin\""), "{said}");
    case.world.set(Behaviour::KubeNoImpersonation);
    let said = case.whoami(&[]);
    assert!(said.stdout.contains("authenticated as alice@contoso.example"), "{said}");
    assert!(said.stderr.contains("the cluster does not let kubectl act as \"admin\""), "{said}");
}

#[test]
fn user_without_plugin_is_identified_by_the_cluster() {
    let case = Case::entra(&[]).signed_in();
    let (certificate, key) = case.world.client_certificate();
    let (certificate, key) = (STANDARD.encode(certificate), STANDARD.encode(key));
    rewrite(&case, |text| {
        let rest = text.split("    exec:").next().unwrap();
        format!("{rest}    client-certificate-data: {certificate}\n    client-key-data: {key}\n")
    });
    let said = case.whoami(&["--groups"]);
    said.assert_silent_success();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(
        lines[0].starts_with("kubectl      would be masterclient, in 2 groups, by a client certificate: "),
        "{said}"
    );
    assert_eq!(lines[1..], ["", "system:masters", "system:authenticated"], "{said}");
    case.world.set(Behaviour::KubeNoCertificates);
    case.whoami(&[]).assert_failed(1, &["does not accept the client certificate (HTTP 401)", "local accounts"]);
}
