use super::super::entry_reader::EntryReader;
use super::*;
use kubectl_login::messages::{ErrorMessage, ExitKind};
use kubectl_login::profile::Provider;

const AKS: &[&str] = &["--server-id", "s", "--client-id", "flag-client", "--tenant-id", "flag-tenant"];

fn read(words: &[&str], variables: &[(&str, &str)]) -> Result<Settings> {
    let words: Vec<String> = ["get-token"].iter().chain(words).map(|word| (*word).to_owned()).collect();
    let args = EntryReader::default().parse(&words).map_err(|error| ErrorMessage::usage(error.to_string(), ""))?;
    let environment = Environment::from_iter(variables.iter().copied());
    settings(&args, &environment, None, &CaFiles::default())
}

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    AKS.iter().copied().chain(more.iter().copied()).collect()
}

fn client_and_tenant(settings: &Settings) -> (&str, &str) {
    match &settings.profile.provider {
        Provider::Entra { tenant, .. } => (&settings.profile.client_id, tenant),
        Provider::Oidc { .. } => panic!("an Entra profile"),
    }
}

#[test]
fn a_flag_wins_over_the_environment_where_a_human_is() {
    let variables = [("AZURE_CLIENT_ID", "env-client"), ("AZURE_TENANT_ID", "env-tenant")];
    assert_eq!(client_and_tenant(&read(AKS, &variables).expect("fine")), ("flag-client", "flag-tenant"));
    assert_eq!(
        client_and_tenant(&read(&["--server-id", "s"], &variables).expect("fine")),
        ("env-client", "env-tenant")
    );
    let empty = [("AZURE_CLIENT_ID", ""), ("AZURE_TENANT_ID", "")];
    assert_eq!(client_and_tenant(&read(AKS, &empty).expect("fine")), ("flag-client", "flag-tenant"));
    let off = with(&["--disable-environment-override"]);
    assert!(
        read(&off[..2], &variables).is_ok()
            && read(&["--server-id", "s", "--disable-environment-override"], &variables).is_err()
    );
}

#[test]
fn the_method_variable_always_wins() {
    let error = read(&with(&["-l", "devicecode"]), &[("AAD_LOGIN_METHOD", "spn")]).err().expect("not yet");
    assert_eq!(error.what, "AAD_LOGIN_METHOD=spn is not supported yet");
    assert!(read(&with(&["-l", "spn"]), &[("AAD_LOGIN_METHOD", "devicecode")]).is_ok());
    assert_eq!(read(&with(&["-l", "carrier-pigeon"]), &[]).err().expect("wrong").kind, ExitKind::Usage);
}

#[test]
fn flags_of_both_dialects_are_refused_and_the_environment_decides_nothing() {
    let both = with(&["--oidc-issuer-url", "https://i"]);
    assert_eq!(read(&both, &[]).err().expect("both").kind, ExitKind::Usage);
    let azure = [("AZURE_CLIENT_ID", "x"), ("AAD_LOGIN_METHOD", "spn")];
    let settings = read(&["--oidc-issuer-url=https://i", "--oidc-client-id=c"], &azure).expect("fine");
    assert!(matches!(settings.profile.provider, Provider::Oidc { .. }));
    assert_eq!(read(&["--force-refresh"], &azure).err().expect("neither").kind, ExitKind::Usage);
}

#[test]
fn the_peers_spellings_are_understood() {
    let settings = read(
        &[
            "--oidc-issuer-url=https://i",
            "--oidc-client-id=c",
            "--oidc-extra-scope=email,groups",
            "--oidc-extra-scope",
            "x",
            "-v1",
            "--logtostderr=false",
            "--log_dir=/tmp",
            "--listen-address=127.0.0.1:8000,127.0.0.1:18000",
            "--token-cache-storage=disk",
            "--token-cache-dir=/a",
            "--token-cache-dir=/b",
            "--skip-open-browser=false",
            "--tls-renegotiation-once",
            "--authentication-timeout-sec=60",
            "--oidc-request-header=a=b,c=d",
        ],
        &[],
    )
    .expect("fine");
    assert_eq!(settings.profile.wanted_scopes(), ["email", "groups", "openid", "x"]);
    assert_eq!((settings.profile.storage, settings.cache_dir.as_deref()), (Storage::File, Some("/b")));
    assert_eq!(settings.profile.network.headers.len(), 2);
    assert_eq!(settings.profile.browser, Browser::Desktop);
    assert!(read(&with(&["-s", "sub", "-e", "AzureChinaCloud", "--legacy=false", "-v", "5"]), &[]).is_ok());
    assert!(read(&with(&["--legacy"]), &[]).is_err());
}

#[test]
fn foreign_audiences_are_refused_in_both_dialects() {
    assert!(
        read(&["--server-id", "https://graph.microsoft.com", "--client-id", "c", "--tenant-id", "t"], &[]).is_err()
    );
    let oidc = [
        "--oidc-issuer-url=https://i",
        "--oidc-client-id=c",
        "--oidc-extra-scope=https://management.azure.com/.default",
    ];
    assert!(read(&oidc, &[]).is_err());
    assert!(read(&[&oidc[..], &["--oidc-use-access-token"]].concat(), &[]).is_err());
}

#[test]
fn a_tenant_cannot_lead_elsewhere() {
    for tenant in ["a/b", "..", "a?b", "a#b", "a b", "%2e"] {
        assert!(read(&["--server-id", "s", "--client-id", "c", "--tenant-id", tenant], &[]).is_err(), "{tenant}");
    }
}
