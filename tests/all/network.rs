//! The network between the plugin and the issuer: unreachable and busy servers, proxies, and the User-Agent.

use crate::common::scripted;
use std::time::{Duration, Instant};

use crate::common::clock::pause;
use crate::common::scripted::{Scripted, ScriptedResponse, json_response};
use crate::common::socks::Socks;
use crate::common::{
    ALWAYS, HANG, Home, LENIENCE, PLUGIN, Run, V1, closed_port, entra, entra_at, in_parallel, is_root, oidc,
};
use serde_json::json;
use sim::{Behaviour, World};

/// A host that does not exist (RFC 6761 section 6.4).
const REMOTE_HOST: &str = "login.example.invalid";

/// `get-token` for an Entra-shaped tenant at `authority`.
fn at(authority: &str, more: &[&str]) -> Vec<String> {
    entra_at(authority, &[&ALWAYS[..], more].concat())
}

/// A proxy that rejects all requests and records them.
fn proxy() -> Scripted {
    Scripted::start(|_| vec![("403 Forbidden", Vec::new(), String::new())])
}

/// A device code, and then a decline.
fn code_and_decline(url: &str) -> Vec<ScriptedResponse> {
    let device = json!({
        "device_code": "d", "user_code": "U", "verification_uri": format!("{url}/activate"),
        "expires_in": 60, "interval": 1,
    });
    vec![json_response("200 OK", &device), json_response("400 Bad Request", &json!({ "error": "access_denied" }))]
}

/// A session whose token has to be refreshed.
fn session_to_refresh(world: &World, home: &Home) {
    home.run(&entra(world, &ALWAYS)).token();
    home.advance_time(world, 3_601);
    world.reset_requests();
}

#[test]
fn refused_connection_names_server_and_proxy_variable() {
    let home = Home::new();
    let (_socket, port) = closed_port();
    let nowhere = format!("http://127.0.0.1:{port}");
    let run = home.run(&at(&nowhere, &["--timeout", "2s"]));
    run.assert_failed(1, &["Error: ", &nowhere, "cannot be reached", "refused", "\nNext: ", "HTTPS_PROXY"]);
    let issuer = ["get-token", "--oidc-issuer-url", &nowhere, "--oidc-client-id", "c", "--grant-type=device-code"];
    home.run(&[&issuer[..], &ALWAYS, &["--timeout", "2s"]].concat())
        .assert_failed(1, &[&nowhere, "cannot be reached", "discovery"]);
}

#[test]
fn unknown_host_exits_with_1_each_time() {
    let home = Home::new();
    let args = at(&format!("https://{REMOTE_HOST}/"), &["--timeout", "2s"]);
    for _ in 0..2 {
        home.run_as_new_caller(&args).assert_failed(1, &[&format!("https://{REMOTE_HOST}"), "\nNext: "]);
    }
}

#[test]
fn unavailable_server_keeps_the_session() {
    let (world, home) = (World::start(), Home::new());
    session_to_refresh(&world, &home);
    world.set(Behaviour::Refresh5xx);
    let down = home.run(&entra(&world, &["--timeout", "2s"]));
    down.assert_failed(1, &["HTTP 502", "\nNext: "]);
    assert!(world.device_requests().is_empty());
    world.clear(Behaviour::Refresh5xx);
    let up = home.run(&entra(&world, &[]));
    up.token();
    assert_eq!(up.stderr, "");
    assert!(world.device_requests().is_empty());
}

#[test]
fn refresh_respects_retry_after() {
    let (world, home) = (World::start(), Home::new());
    session_to_refresh(&world, &home);
    world.set(Behaviour::Token503WithRetryAfter);
    let run = home.run(&entra(&world, &[]));
    run.token();
    assert_eq!(run.stderr, "");
    let refreshes = world.refreshes();
    assert_eq!(refreshes.iter().map(|request| request.status).collect::<Vec<_>>(), [503, 200]);
    let waited = refreshes[1].at - refreshes[0].at;
    assert!(waited >= pause(Duration::from_secs(2) - LENIENCE), "{waited:?}");
    assert!(refreshes.iter().all(|request| !request.too_early));
}

#[test]
fn device_request_respects_retry_after() {
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let server = Scripted::start(|url| {
            let busy = (status, vec!["retry-after: 2".to_owned()], "<html>busy</html>".to_owned());
            [vec![busy], code_and_decline(url)].concat()
        });
        Home::new().run(&at(&server.url(), &[])).assert_failed(3, &["declined"]);
        let asked = server.requests();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert_eq!(asked[0].text, asked[1].text);
        assert!(asked[1].at - asked[0].at >= pause(Duration::from_secs(2) - LENIENCE), "{asked:?}");
    }
}

#[test]
fn retry_after_beyond_the_deadline_fails_immediately() {
    let server =
        Scripted::start(|_| vec![("503 Service Unavailable", vec!["retry-after: 3600".to_owned()], "busy".to_owned())]);
    let began = Instant::now();
    Home::new().run(&at(&server.url(), &[])).assert_failed(1, &["HTTP 503", "Try again in a moment", "\nNext: "]);
    assert_eq!(server.requests().len(), 1);
    // The default deadline is twenty seconds.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn short_failure_at_the_start_is_retried_silently() {
    let (world, home) = (World::start_with(&[Behaviour::Always503]), Home::new());
    let child = home.start(&entra(&world, &ALWAYS));
    assert!(world.wait_for(HANG, |log| log.device_requests().iter().any(|request| request.status == 503)));
    world.clear(Behaviour::Always503);
    let run = Run::wait(child);
    run.token();
    assert!(!run.stderr.contains("503"), "{run}");
}

#[test]
fn busy_server_gets_few_retries() {
    let (world, home) = (World::start_with(&[Behaviour::Always503]), Home::new());
    home.run(&entra(&world, &ALWAYS)).assert_failed(1, &["HTTP 503", "\nNext: "]);
    let times: Vec<Instant> = world.device_requests().iter().map(|request| request.at).collect();
    assert!((2..=10).contains(&times.len()), "{}", times.len());
    // The pauses grow.
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let pauses = (0..).map(|round| pause(Duration::from_millis(250) * 2_u32.pow(round) - LENIENCE));
    assert!(gaps.iter().zip(pauses).all(|(gap, pause)| *gap >= pause), "{gaps:?}");
}

#[test]
fn single_server_error_is_retried() {
    let (world, home) = (World::start(), Home::new());
    session_to_refresh(&world, &home);
    world.set(Behaviour::ServerError);
    let run = home.run(&entra(&world, &[]));
    run.token();
    assert_eq!((world.refreshes().len(), run.stderr.as_str()), (2, ""));
}

#[test]
fn proxy_variables_are_used_for_remote_hosts() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (proxy, home) = (proxy(), Home::new());
        let args = at(&format!("https://{REMOTE_HOST}/"), &["--timeout", "1s"]);
        Run::of(home.plugin(&args).env(variable, proxy.url())).assert_failed(1, &[REMOTE_HOST, "\nNext: "]);
        let asked = proxy.requests();
        assert!(!asked.is_empty(), "{variable} is not heeded");
        assert!(
            asked.iter().all(|asked| asked.text.starts_with(&format!("CONNECT {REMOTE_HOST}:443 HTTP/1.1"))),
            "{asked:?}"
        );
    }
}

#[test]
fn discovery_uses_the_proxy() {
    let (proxy, home) = (proxy(), Home::new());
    let issuer = format!("https://{REMOTE_HOST}/realm");
    let args = ["get-token", "--oidc-issuer-url", &issuer, "--oidc-client-id", "c", "--timeout", "1s"];
    let mut command = home.plugin(&[&args[..], &ALWAYS].concat());
    Run::of(command.env("HTTPS_PROXY", proxy.url())).assert_failed(1, &[REMOTE_HOST]);
    assert!(proxy.requests()[0].text.starts_with(&format!("CONNECT {REMOTE_HOST}:443 ")), "{:?}", proxy.requests());
}

#[test]
fn proxy_password_is_sent_and_never_printed() {
    let (proxy, home) = (proxy(), Home::new());
    let url = proxy.url().replace("http://", "http://alice:hidden-word@");
    let args = at(&format!("https://{REMOTE_HOST}/"), &["--timeout", "1s", "-v", "9"]);
    let run = Run::of(home.plugin(&args).env("HTTPS_PROXY", &url));
    run.assert_failed(1, &[REMOTE_HOST]);
    assert!(!run.stderr.contains("hidden-word"), "{run}");
    // alice:hidden-word
    let expected = "YWxpY2U6aGlkZGVuLXdvcmQ=";
    assert!(proxy.requests()[0].text.contains(expected), "{:?}", proxy.requests());
    let broken = Run::of(home.plugin(&args).env("HTTPS_PROXY", "http://alice:hidden-word@:bad port"));
    assert_eq!(broken.code, Some(1), "{broken}");
    assert!(!broken.stderr.contains("hidden-word"), "{broken}");
}

#[test]
fn no_proxy_hosts_are_reached_directly() {
    for (variable, value) in [
        ("NO_PROXY", REMOTE_HOST),
        ("no_proxy", ".example.invalid"),
        ("NO_PROXY", "a.example, *"),
        ("NO_PROXY", "*.example.invalid"),
        ("NO_PROXY", "login.example.invalid:443"),
    ] {
        let (proxy, home) = (proxy(), Home::new());
        let args = at(&format!("https://{REMOTE_HOST}/"), &["--timeout", "1s"]);
        let mut command = home.plugin(&args);
        Run::of(command.env("HTTPS_PROXY", proxy.url()).env(variable, value)).assert_failed(1, &[REMOTE_HOST]);
        assert!(proxy.requests().is_empty(), "{variable}={value}: {:?}", proxy.requests());
    }
}

#[test]
fn hosts_outside_no_proxy_use_the_proxy() {
    for value in ["login.example.invalid:6443", ".login.example.invalid", "*.login.example.invalid", "127.0.0.0/8"] {
        let (proxy, home) = (proxy(), Home::new());
        let args = at(&format!("https://{REMOTE_HOST}/"), &["--timeout", "1s"]);
        let mut command = home.plugin(&args);
        Run::of(command.env("HTTPS_PROXY", proxy.url()).env("NO_PROXY", value)).assert_failed(1, &[REMOTE_HOST]);
        assert!(!proxy.requests().is_empty(), "NO_PROXY={value}");
    }
}

#[test]
fn upper_case_proxy_variables_have_priority() {
    let (upper, lower, home) = (proxy(), proxy(), Home::new());
    let mut command = home.plugin(&at(&format!("https://{REMOTE_HOST}/"), &["--timeout", "1s"]));
    command.env("HTTPS_PROXY", upper.url()).env("https_proxy", lower.url());
    Run::of(&mut command).assert_failed(1, &[REMOTE_HOST]);
    assert!(!upper.requests().is_empty() && lower.requests().is_empty());
}

/// The port of a URL.
fn port(url: &str) -> u16 {
    url.trim_end_matches('/').rsplit_once(':').unwrap().1.parse().unwrap()
}

#[test]
fn socks_proxy_gets_the_host_name() {
    let world = World::start();
    let ca = world.ca_file().to_str().unwrap();
    for (scheme, credentials) in [("socks5", None), ("socks5h", None), ("socks5", Some("alice:hidden word"))] {
        let (home, socks) = (Home::new(), Socks::start(port(&world.tls_authority()), credentials, 0));
        let user = if credentials.is_some() { "alice:hidden%20word@" } else { "" };
        let mut command = home.plugin(&at(&format!("https://{REMOTE_HOST}/"), &["--certificate-authority", ca]));
        Run::of(command.env("HTTPS_PROXY", format!("{scheme}://{user}127.0.0.1:{}", socks.port))).token();
        assert!(socks.requests().contains(&format!("{REMOTE_HOST}:443")), "{:?}", socks.requests());
    }
}

/// `get-token` for a remote OpenID Connect issuer, through the proxy at `address`.
fn through(home: &Home, address: &str, more: &[&str]) -> Run {
    let issuer = format!("https://{REMOTE_HOST}/realm");
    let args = ["get-token", "--oidc-issuer-url", &issuer, "--oidc-client-id", "c"];
    let mut command = home.plugin(&[&args[..], &ALWAYS, more].concat());
    Run::of(command.env("https_proxy", address))
}

#[test]
fn refusing_proxy_is_named_and_not_retried() {
    for (status, words) in [("403 Forbidden", "(HTTP 403)"), ("404 Not Found", "(HTTP 404)")] {
        let proxy = Scripted::start(|_| vec![(status, Vec::new(), String::new())]);
        let address = proxy.url().replace("http://", "http://alice:hidden-word@");
        let said = format!("the proxy {} does not connect to https://{REMOTE_HOST}", proxy.url());
        let run = through(&Home::new(), &address, &[]);
        run.assert_failed(1, &[&said, words, "Next:  Ask the proxy's administrator", REMOTE_HOST, "NO_PROXY"]);
        assert_eq!(proxy.requests().len(), 1, "{:?}", proxy.requests());
    }
}

#[test]
fn refused_proxy_password_is_sent_once() {
    let refusal = || vec![("407 Proxy Authentication Required", Vec::new(), String::new())];
    for (user, words) in [
        ("alice:hidden-word@", ["does not accept the user name and password (HTTP 407)", "Correct the user name"]),
        ("", ["wants a user name and password (HTTP 407)", "Set user name and password in https_proxy"]),
    ] {
        let proxy = Scripted::start(|_| refusal());
        let address = proxy.url().replace("http://", &format!("http://{user}"));
        let run = through(&Home::new(), &address, &[]);
        run.assert_failed(1, &[&format!("the proxy {} ", proxy.url()), words[0], words[1]]);
        assert!(!run.stderr.contains("hidden-word"), "{run}");
        assert_eq!(proxy.requests().len(), 1, "{:?}", proxy.requests());
    }
    // Even with several servers that are contacted in parallel.
    let (world, home, proxy) = (World::start(), Home::new(), Scripted::start(|_| refusal()));
    let args = at(&format!("https://{REMOTE_HOST}/"), &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let kubeconfig = world.kubeconfig("kubectl-login", &args, V1);
    home.write(".kube/config", &kubeconfig.replace(&world.kube_url(), "https://kube.example.invalid"));
    let mut command = home.plugin(&["doctor"]);
    let run = Run::of(command.env("HTTPS_PROXY", proxy.url().replace("http://", "http://alice:hidden-word@")));
    assert_eq!(run.stdout.matches("does not accept the user name and password").count(), 2, "{run}");
    assert_eq!(proxy.requests().len(), 1, "{:?}", proxy.requests());
}

#[test]
fn unreachable_proxy_is_named_instead_of_the_issuer() {
    let (_socket, closed) = closed_port();
    let refused = format!("127.0.0.1:{closed}");
    for (address, words) in [
        ("http://proxy.example.invalid:3128", "the proxy http://proxy.example.invalid:3128 cannot be reached: "),
        (&refused, &format!("the proxy http://{refused} cannot be reached: ")),
        (&format!("socks5://{refused}"), &format!("the proxy socks5://{refused} cannot be reached: ")),
    ] {
        let run = through(&Home::new(), address, &["--timeout", "2s"]);
        run.assert_failed(1, &[words, "Next:  Check https_proxy", "NO_PROXY"]);
    }
    let silent = Scripted::start(|_| vec![scripted::no_response()]);
    let run = through(&Home::new(), &silent.url(), &["--timeout", "50ms"]);
    run.assert_failed(1, &[&format!("the proxy {} did not answer in time", silent.url()), "https_proxy"]);
}

#[test]
fn refusing_socks_proxy_gives_the_reason() {
    let socks = Socks::start(1, Some("alice:right"), 0);
    let run = through(&Home::new(), &format!("socks5://alice:hidden-word@127.0.0.1:{}", socks.port), &[]);
    run.assert_failed(1, &["does not accept the user name and password", "in https_proxy"]);
    assert_eq!(socks.requests(), ["auth alice:hidden-word"]);
    let socks = Socks::start(1, None, 2);
    let run = through(&Home::new(), &format!("socks5h://127.0.0.1:{}", socks.port), &[]);
    let said = format!("the proxy socks5://127.0.0.1:{} does not connect to https://{REMOTE_HOST}", socks.port);
    run.assert_failed(1, &[&said, "its rules do not allow it", "Ask the proxy's administrator"]);
}

#[test]
fn loopback_is_never_reached_through_a_proxy() {
    let (world, proxy) = (World::start(), proxy());
    let ca = world.ca_file().to_str().unwrap();
    let tls = ["--oidc-issuer-url", &world.tls_issuer(), "--certificate-authority", ca, "--prompt", "always"];
    in_parallel([entra(&world, &ALWAYS), oidc(&world, &ALWAYS), oidc(&world, &tls)], |args| {
        let home = Home::new();
        let mut command = home.plugin(&args);
        for variable in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"] {
            command.env(variable, proxy.url());
        }
        // Without NO_PROXY.
        Run::of(command.env_remove("NO_PROXY").env_remove("no_proxy")).token();
    });
    assert!(proxy.requests().is_empty(), "{:?}", proxy.requests());
}

#[test]
fn user_agent_has_version_and_platform() {
    let (world, home) = (World::start(), Home::new());
    for args in [entra(&world, &[]), oidc(&world, &[])] {
        home.run(&[&args[..], &ALWAYS.map(str::to_owned)].concat()).token();
        home.run(&[&args[..], &["--force-refresh".to_owned()]].concat()).token();
    }
    let requests = world.requests();
    assert!(requests.len() >= 10, "{}", requests.len());
    let platform = match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "Macintosh",
        _ => "Windows",
    };
    for request in requests {
        let agent = request.header("user-agent");
        assert!(agent.starts_with(&format!("kubectl-login/{}", env!("CARGO_PKG_VERSION"))), "{agent:?}");
        assert!(agent.contains(platform), "{agent:?}");
    }
}

#[test]
fn invalid_timeout_is_a_usage_error() {
    for wrong in ["0s", "-1s", "5", "soon", ""] {
        let flag = format!("--timeout={wrong}");
        Home::new().run(&at("https://login.example.invalid/", &[&flag])).assert_failed(2, &["--timeout"]);
    }
}

#[test]
fn localhost_names_are_loopback_without_dns() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    let port = world.issuer().rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
    // Documentation addresses (RFC 5737), where nothing responds.
    let hosts = home.write("hosts", "192.0.2.1 issuer.localhost\n192.0.2.1 localhost\n");
    for name in ["issuer.localhost", "deep.below.localhost", "localhost", "issuer.localhost."] {
        let issuer = format!("http://{name}:{port}/oidc");
        let mut command = home.program("unshare");
        command.args(["-m", "sh", "-c", "mount --bind \"$1\" /etc/hosts && shift && exec \"$0\" \"$@\"", PLUGIN]);
        command.arg(&hosts).args(["get-token", "--oidc-client-id=c", "--prompt=always", "--timeout=5s"]);
        let run = Run::of(command.arg("--oidc-issuer-url").arg(&issuer));
        // The request reached the world on this machine, which does not know the client.
        run.assert_failed(1, &["invalid_client"]);
        assert!(!world.device_requests().is_empty(), "{name}: {run}");
        world.reset_requests();
    }
}
