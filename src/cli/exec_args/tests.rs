use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use kubectl_login::profile::{Credentials, GroupSettings};
use kubectl_login_core::http::ca_file::CaFile;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use url::Url;

use super::*;

fn read(words: &[String]) -> Profile {
    let args = EntryReader::default().parse(words).expect("the grammar takes them");
    profile::settings(&args, &Environment::default(), None, &CaFiles::default()).expect("they make sense").profile
}

fn profile_of(words: &[&str]) -> Profile {
    read(&["get-token"].iter().chain(words).map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

fn entra_profile() -> Profile {
    profile_of(&["--server-id=s", "--client-id=c", "--tenant-id=t"])
}

fn oidc_profile() -> Profile {
    profile_of(&["--oidc-issuer-url=https://issuer.example", "--oidc-client-id=c"])
}

fn words_of(profile: &Profile) -> Vec<String> {
    ExecArgs::new(profile).expect("it has arguments").words()
}

#[test]
fn arguments_for_entra_have_the_peers_form_and_order() {
    assert_eq!(
        words_of(&entra_profile()).join(" "),
        "get-token --login devicecode --server-id s --client-id c --tenant-id t"
    );
    let words = "get-token --login interactive --server-id s --client-id c --tenant-id t --environment AzureUSGovernmentCloud \
                 --redirect-url http://localhost:8000 --graph-client-id g --login-hint a@b --skip-open-browser \
                 --token-cache-storage file --timeout 90s --certificate-authority /ca.pem --insecure-skip-tls-verify";
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    assert_eq!(words_of(&read(&words)), words);
    let gateway =
        profile_of(&["--server-id=s", "--client-id=-c", "--tenant-id=t", "--authority-host=https://a.example"]);
    assert_eq!(
        words_of(&gateway).join(" "),
        "get-token --login devicecode --server-id s --client-id=-c --tenant-id t --authority-host https://a.example/"
    );
}

#[test]
fn arguments_for_openid_connect_have_the_peers_form_and_order() {
    let plain = "get-token --oidc-issuer-url=https://issuer.example --oidc-client-id=c";
    assert_eq!(words_of(&oidc_profile()).join(" "), plain);
    let words = format!(
        "{plain} --oidc-client-secret=s --oidc-extra-scope=email --oidc-extra-scope=groups --grant-type=authcode \
         --oidc-pkce-method=S256 --oidc-use-access-token --oidc-request-header=X-Key=k --listen-address=[::1]:0 \
         --listen-address=127.0.0.1:9 --oidc-redirect-url=http://localhost:9/x --oidc-redirect-url-hostname=h \
         --oidc-auth-request-extra-params=acr_values=urn:a,urn:b --groups-claim=roles --username=u --password=p \
         --login-hint=a@b --browser-command=b --authentication-timeout-sec=60 --open-url-after-authentication=https://e.example/ \
         --token-cache-storage=none --timeout=1s500ms --certificate-authority-data=QQ=="
    );
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    assert_eq!(words_of(&read(&words)), words);
}

#[test]
fn other_spellings_are_written_as_the_usual_ones() {
    let of = |words: &[&str]| words_of(&profile_of(words))[1..].join(" ");
    assert_eq!(
        of(&["-s", "x", "-t=t", "-e=AzureCloud", "-l=auto", "--server-id=spn:s/.default", "--client-id=c"]),
        "--login auto --server-id s --client-id c --tenant-id t"
    );
    let issuer = ["--oidc-issuer-url=https://i.example", "--oidc-client-id=c"];
    let more = ["--oidc-use-pkce", "--oidc-extra-scope=a,b", "--listen-port=1", "--username=u"];
    assert_eq!(
        of(&[&issuer[..], &more].concat()),
        "--oidc-issuer-url=https://i.example --oidc-client-id=c --oidc-extra-scope=a --oidc-extra-scope=b \
         --grant-type=password --oidc-pkce-method=S256 --listen-address=127.0.0.1:1 --username=u"
    );
}

#[test]
fn what_the_environment_adds_is_left_out() {
    let mut profile = entra_profile();
    profile.network.environment_roots.file = Some("/bundle.pem".into());
    profile.network.proxies.no_proxy = Some("*".to_owned());
    assert_eq!(words_of(&profile), words_of(&entra_profile()));
}

#[test]
fn setting_that_the_dialect_cannot_express_is_named() {
    type Change = fn(&mut Profile);
    let of_entra: &[(Setting, Change)] = &[
        (Setting::ClientSecret, |profile| profile.client_secret = Some(Secret::new("s"))),
        (Setting::Method, |profile| profile.method = Method::Keyboard),
        (Setting::Username, |profile| profile.credentials.username = Some("u".to_owned())),
        (Setting::Password, |profile| profile.credentials.password = Some(Secret::new("p"))),
        (Setting::TokenKind, |profile| profile.token_kind = TokenKind::Id),
        (Setting::RequestHeaders, |profile| profile.network.headers = vec![("A".to_owned(), Secret::new("b"))]),
        (Setting::RedirectUrl, |profile| profile.authorization.redirect_url = Some("https://a.example".to_owned())),
        (Setting::ExtraParameters, |profile| {
            profile.authorization.extra_parameters = vec![("a".to_owned(), "b".to_owned())];
        }),
        (Setting::GroupsClaim, |profile| profile.groups.claim = "roles".to_owned()),
        (Setting::GraphUrl, |profile| profile.groups.graph = Url::parse("https://graph.example").ok()),
        (Setting::NetworkTimeout, |profile| profile.network.timeout = Some(Duration::ZERO)),
        (Setting::CertificateAuthorities, |profile| profile.network.ca_files = vec![CaFile::read("~/ca.pem".into())]),
    ];
    let of_oidc: &[(Setting, Change)] = &[
        (Setting::Method, |profile| profile.credentials.username = Some("u".to_owned())),
        (Setting::TokenKind, |profile| profile.token_kind = TokenKind::Own),
        (Setting::GraphClient, |profile| profile.groups.graph_client = Some("g".to_owned())),
        (Setting::SignInTimeout, |profile| profile.authorization.human_time = Duration::from_millis(1500)),
        (Setting::SignInTimeout, |profile| profile.authorization.human_time = Duration::ZERO),
        (Setting::ListenAddresses, |profile| profile.authorization.listen = Vec::new()),
        (Setting::ExtraParameters, |profile| {
            profile.authorization.extra_parameters = vec![("scope".to_owned(), "openid".to_owned())];
        }),
        (Setting::Scopes, |profile| match &mut profile.provider {
            Provider::Oidc { extra_scopes, .. } => *extra_scopes = vec!["a,b".to_owned()],
            Provider::Entra { .. } => {}
        }),
    ];
    for (base, dialect, changes) in
        [(entra_profile(), "Azure/kubelogin", of_entra), (oidc_profile(), "int128/kubelogin", of_oidc)]
    {
        for (setting, change) in changes {
            let mut profile = base.clone();
            change(&mut profile);
            let found = ExecArgs::new(&profile).map(|args| args.words());
            assert_eq!(found, Err(ExecArgsError::Inexpressible { setting: *setting, dialect }));
        }
    }
}

#[test]
fn what_no_entry_may_say_has_no_arguments() {
    let mut profile = oidc_profile();
    profile.network.headers = vec![("Host".to_owned(), Secret::new("elsewhere"))];
    let refused = ExecArgs::new(&profile).expect_err("refused");
    assert!(matches!(&refused, ExecArgsError::Refused(error) if error.what.contains("Host")), "{refused:?}");
    profile.network.headers = vec![("X-Key".to_owned(), Secret::new("a\0b"))];
    assert_eq!(ExecArgs::new(&profile), Err(ExecArgsError::NotAnArgument("--oidc-request-header")));
}

#[test]
fn debug_shows_no_secrets() {
    let mut profile = oidc_profile();
    profile.client_secret = Some(Secret::new("hunter2"));
    profile.method = Method::Password;
    profile.credentials = Credentials { username: Some("alice".to_owned()), password: Some(Secret::new("hunter2")) };
    profile.network.headers = vec![("X-Key".to_owned(), Secret::new("hunter2"))];
    let args = ExecArgs::new(&profile).expect("it has arguments");
    let shown = format!("{args:?}");
    assert!(shown.contains("alice") && shown.contains("--password") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(args.words().iter().filter(|word| word.contains("hunter2")).count(), 3);
}

/// Text with everything that parsers may trip over.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,8}[!-~äß✓]", "-{1,2}[a-z-]{0,6}", "[\",=\\\\ ]{0,4}[!-~]"]
}

fn secret() -> impl Strategy<Value = Secret> {
    text().prop_map(Secret::new)
}

fn path() -> impl Strategy<Value = PathBuf> {
    "(/|-|\\./)[ -~é]{1,8}".prop_map(PathBuf::from)
}

/// Names that are not taken, each once, with values.
fn named() -> impl Strategy<Value = Vec<(String, String)>> {
    let value = prop_oneof!["[ -~\n]{0,8}", "[\",=]{0,5}"];
    vec(("X-[!-<>-~]{0,5}", value), 0..4).prop_map(|mut pairs| {
        pairs.sort();
        pairs.dedup_by(|one, other| one.0 == other.0);
        pairs
    })
}

fn address() -> impl Strategy<Value = Listen> {
    let addresses = select(vec!["127.0.0.1", "127.8.7.6", "::1"]);
    let port = prop_oneof![select(vec![0, 80, 8000, 18000]), any::<u16>()];
    (addresses, port).prop_map(|(address, port)| {
        let address: IpAddr = address.parse().expect("an address");
        Listen { address, port }
    })
}

fn url(known: &'static [&'static str]) -> impl Strategy<Value = Url> {
    select(known).prop_map(|text| Url::parse(text).expect("a URL"))
}

fn network() -> impl Strategy<Value = Network> {
    let timeout = (0..9_000_000_000_u64, prop_oneof![Just(0), Just(500_000_000), 1..1_000_000_000_u32])
        .prop_map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds))
        .prop_filter("longer than 0", |timeout| !timeout.is_zero());
    (vec(path().prop_map(CaFile::read), 0..3), vec("[A-Za-z0-9+/=\n-]{0,12}", 0..3), any::<bool>(), option::of(timeout))
        .prop_map(|(ca_files, ca_data, insecure, timeout)| Network {
            ca_files,
            ca_data,
            insecure,
            timeout,
            ..Network::default()
        })
}

fn authorization() -> impl Strategy<Value = Authorization> {
    let page = url(&["https://done.example/?a=b,c", "http://127.0.0.1/"]);
    (vec(address(), 1..4), option::of((path(), path())), option::of(page), 1..=u32::MAX).prop_map(
        |(listen, certificate, page_afterwards, seconds)| Authorization {
            listen,
            certificate,
            page_afterwards,
            human_time: Duration::from_secs(seconds.into()),
            ..Authorization::default()
        },
    )
}

/// What both dialects express, in a profile of the first.
fn common_profile() -> impl Strategy<Value = Profile> {
    let storage = select(vec![Storage::Auto, Storage::Keyring, Storage::File, Storage::None]);
    let browser = prop_oneof![Just(Browser::Skip), Just(Browser::Desktop), text().prop_map(Browser::Command)];
    (option::of(text()), network(), storage, browser, authorization()).prop_map(
        |(account_hint, network, storage, browser, authorization)| Profile {
            account_hint,
            network,
            storage,
            browser,
            authorization,
            ..entra_profile()
        },
    )
}

fn any_entra_profile() -> impl Strategy<Value = Profile> {
    const AUTHORITIES: &[&str] = &[
        "https://login.microsoftonline.com/",
        "https://login.microsoftonline.us/",
        "https://login.partner.microsoftonline.cn/",
        "https://login.windows.net/",
        "https://login.example/dir/",
        "http://127.0.0.1:8080/",
    ];
    let server_ids = select(vec![
        "6dae42f8-4368-4678-94ff-3960e28e3630",
        "api://cluster/x",
        "https://contoso.example/api",
        "-server",
        "spn",
    ]);
    let provider = (url(AUTHORITIES), "[A-Za-z0-9_-]{1,10}", server_ids).prop_map(|(authority, tenant, server_id)| {
        Provider::Entra { authority, tenant, server_id: server_id.to_owned() }
    });
    let method = select(INTERACTIVE_METHODS).prop_map(|(_, method)| method);
    (common_profile(), provider, "[!-~]{1,10}", method, option::of(text())).prop_map(
        |(common, provider, client_id, method, graph_client)| Profile {
            provider,
            client_id,
            method,
            groups: GroupSettings { graph_client, ..GroupSettings::default() },
            ..common
        },
    )
}

fn any_oidc_profile() -> impl Strategy<Value = Profile> {
    let issuers = select(vec!["https://i.example", "https://i.example:8443/realms/x/", "http://127.0.0.1:5556"]);
    let pkce = select(vec![Pkce::Auto, Pkce::Always, Pkce::Never]);
    let provider = (issuers, vec("[!#-+./0-9:;<=>?@A-Z^_a-z{|}~-]{1,8}", 0..4), pkce)
        .prop_map(|(issuer, extra_scopes, pkce)| Provider::Oidc { issuer: issuer.to_owned(), extra_scopes, pkce });
    let method = select(GRANT_METHODS).prop_map(|(_, method)| method);
    let sign_in = (method, option::of(text()), option::of(secret()), select(vec![TokenKind::Access, TokenKind::Id]));
    let redirects: &[&str] =
        &["https://app.example/callback?a=b,c", "https://localhost:8000", "http://[::1]:9/", "http://localhost"];
    let page = (option::of(select(redirects)), option::of(text()), named(), any::<bool>());
    let groups_claim = prop_oneof![Just("groups".to_owned()), text()];
    (common_profile(), provider, text(), option::of(secret()), sign_in, page, named(), groups_claim).prop_map(
        |(common, provider, client_id, client_secret, sign_in, page, headers, claim)| {
            let (method, username, password, token_kind) = sign_in;
            let (redirect_url, redirect_host, extra_parameters, is_usual) = page;
            // With a certificate the browser comes back by https.
            let is_https = common.authorization.certificate.is_some();
            let redirect_url = redirect_url.filter(|url| !is_https || url.starts_with("https"));
            let usual = || authorization::usual_listen(redirect_url);
            let headers = headers.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
            Profile {
                provider,
                client_id,
                client_secret,
                method,
                // `auto` with a name is the password grant.
                credentials: Credentials { username: username.filter(|_| method != Method::Auto), password },
                token_kind,
                network: Network { headers, ..common.network },
                authorization: Authorization {
                    listen: if is_usual { usual() } else { common.authorization.listen },
                    redirect_url: redirect_url.map(str::to_owned),
                    redirect_host,
                    extra_parameters,
                    ..common.authorization
                },
                groups: GroupSettings { claim, ..GroupSettings::default() },
                ..common
            }
        },
    )
}

proptest! {
    #[test]
    fn arguments_for_entra_are_read_as_the_same_profile(profile in any_entra_profile()) {
        let args = ExecArgs::new(&profile);
        prop_assert!(args.is_ok(), "{args:?}");
        prop_assert_eq!(read(&args.expect("fine").words()), profile);
    }

    #[test]
    fn arguments_for_openid_connect_are_read_as_the_same_profile(profile in any_oidc_profile()) {
        let args = ExecArgs::new(&profile);
        prop_assert!(args.is_ok(), "{args:?}");
        prop_assert_eq!(read(&args.expect("fine").words()), profile);
    }
}
