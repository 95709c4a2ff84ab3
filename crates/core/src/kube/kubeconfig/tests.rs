//! Tests of reading and merging, on files in a folder of their own.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const FIRST: &str = r"
apiVersion: v1
kind: Config
current-context: dev
clusters:
- name: dev
  cluster:
    server: https://dev.test
    certificate-authority-data: QUJD
    certificate-authority: ca/dev.pem
    tls-server-name: api.dev.test
    proxy-url: http://alice:PASSWORD@proxy.test:3128
- name: open
  cluster: {server: https://open.test, insecure-skip-tls-verify: true, tls-server-name: '', certificate-authority: null}
contexts:
- name: dev
  context: {cluster: dev, user: alice, namespace: x}
- {name: bare, context: null}
- {name: lost, context: {cluster: gone, user: missing}}
users:
- name: alice
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: kubectl-login
      args: [get-token, --client-id, 'no']
      env: [{name: A, value: b}]
      interactiveMode: IfAvailable
      provideClusterInfo: true
";

const SECOND: &str = r#"{"current-context":"other","contexts":[
  {"name":"dev","context":{"cluster":"x","user":"bob"}},
  {"name":"other","context":{"cluster":"dev","user":"bob"}}],
 "users":[{"name":"alice","user":{"token":"SECRET"}},
  {"name":"bob","user":{"exec":{"command":"./bin/kubelogin","args":null,"env":null}}},
  {"name":"old","user":{"token":"SECRET","client-certificate-data":"SECRET","client-key-data":"SECRET"}},
  {"name":"none","user":null}]}"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn list(folder: &tempfile::TempDir, names: &[&str]) -> std::ffi::OsString {
    std::env::join_paths(names.iter().map(|name| folder.path().join(name))).unwrap()
}

fn both() -> (tempfile::TempDir, Kubeconfig) {
    let folder = folder(&[("a", FIRST), ("b", SECOND)]);
    let config = Kubeconfig::load(None, Some(&list(&folder, &["missing", "a", "b", "a"])), None).unwrap();
    (folder, config)
}

fn one(text: &str) -> Result<Kubeconfig, KubeconfigError> {
    let folder = folder(&[("config", text)]);
    Kubeconfig::load(Some(&folder.path().join("config")), None, None)
}

#[test]
fn the_first_file_wins_and_the_rest_is_added() {
    let (folder, config) = both();
    assert_eq!(config.context_names().collect::<Vec<_>>(), ["bare", "dev", "lost", "other"]);
    let entry = config.entry(None, None).unwrap();
    let exec = ExecConfig {
        api_version: Some("client.authentication.k8s.io/v1".into()),
        interactive_mode: Some("IfAvailable".into()),
        command: "kubectl-login".into(),
        args: ["get-token", "--client-id", "no"].map(str::to_owned).into(),
        env: vec![("A".into(), "b".into())],
    };
    let expected = Entry {
        context: Some("dev".into()),
        cluster: Some("dev".into()),
        namespace: Some("x".into()),
        api_server: KubeconfigCluster {
            server: Some("https://dev.test".into()),
            certificate_authority: Some(folder.path().join("ca/dev.pem")),
            certificate_authority_data: Some("QUJD".into()),
            insecure_skip_tls_verify: false,
            tls_server_name: Some("api.dev.test".into()),
            proxy_url: Some("http://alice:PASSWORD@proxy.test:3128".into()),
        },
        user: "alice".into(),
        exec: Some(exec),
        credentials: UserCredentials::default(),
        file: folder.path().join("a"),
        shadowed: vec![folder.path().join("b")],
    };
    assert_eq!(entry, expected);

    let other = config.entry(Some("other"), None).unwrap();
    assert_eq!(other.api_server, entry.api_server, "a cluster of the other file");
    assert_eq!(other.namespace, None);
    let exec = other.plugin().unwrap();
    assert_eq!(Path::new(&exec.command), folder.path().join("bin/kubelogin"));
    assert!(exec.args.is_empty() && exec.env.is_empty() && exec.api_version.is_none());
}

#[test]
fn cluster_debug_has_no_password_and_empty_values_are_absent() {
    let (_folder, config) = both();
    let shown = format!("{config:?} {:?}", config.entry(None, None).unwrap());
    assert!(shown.contains("https://dev.test") && !shown.contains("PASSWORD"), "{shown}");
    let expected = KubeconfigCluster {
        server: Some("https://open.test".into()),
        insecure_skip_tls_verify: true,
        ..KubeconfigCluster::default()
    };
    assert_eq!(config.clusters["open"], expected);
}

#[test]
fn user_can_be_named_without_a_context() {
    let (_folder, config) = both();
    let entry = config.entry(None, Some("bob")).unwrap();
    assert_eq!((entry.context.as_deref(), entry.user.as_str()), (Some("dev"), "bob"));
    let config = one("users: [{name: u, user: {exec: {command: x/y z}}}]\ncurrent-context: gone").unwrap();
    let entry = config.entry(None, Some("u")).unwrap();
    assert_eq!((entry.context, entry.cluster, entry.api_server), (None, None, KubeconfigCluster::default()));
    assert!(matches!(config.entry(Some("gone"), Some("u")), Err(KubeconfigError::NoSuchContext { .. })));
    assert!(matches!(config.entry(None, None), Err(KubeconfigError::NoSuchContext { .. })));
}

#[test]
fn missing_entries_are_named() {
    let (_folder, config) = both();
    let said = |context, user| {
        let entry = config.entry(context, user);
        let error = entry.and_then(|entry| entry.plugin().cloned()).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        said(Some("nope\u{1b}[2J"), None),
        "your kubeconfig has no context \"nope[2J\"; it has bare, dev, lost, other"
    );
    assert_eq!(said(Some("bare"), None), "the context \"bare\" names no user");
    assert_eq!(
        said(Some("lost"), None),
        "the context \"lost\" leads nowhere: your kubeconfig has no user \"missing\"; it has alice, bob, none, old"
    );
    assert!(said(None, Some("old")).ends_with("has no exec plugin; it has a client certificate"));
    assert!(said(None, Some("none")).ends_with("it has nothing to sign in with"));
    let error = one("").unwrap().entry(None, None).unwrap_err();
    assert_eq!(error.to_string(), "your kubeconfig has no current context");
    assert_eq!(known_names(&vec!["n".to_owned(); 12]), format!("; it has n{} and 2 more", ", n".repeat(9)));
}

#[test]
fn user_with_credentials_beside_exec_names_their_lines() {
    let config = one(r"users:
- name: u
  user:
    token: SECRET
    tokenFile: token.txt
    as: admin
    as-groups:
    - ops
    as-user-extra: {reason: [x]}
    client-key: key.pem
    username: ''
    password: SECRET
    unknown: {a: [b]}
    exec: {command: kubelogin}
- name: certificate
  user: {client-certificate-data: SECRET, client-key-data: SECRET, token: ''}
- name: removed
  user: {auth-provider: {name: azure, config: {access-token: SECRET}}}
- name: repeated
  user:
    token: SECRET
    token: ''
")
    .unwrap();
    let entry = config.entry(None, Some("u")).unwrap();
    assert_eq!(entry.plugin().unwrap().command, "kubelogin");
    let lines = |fields: Vec<SetField>| {
        fields.into_iter().map(|set| (set.field.as_str(), set.line.unwrap())).collect::<Vec<_>>()
    };
    let credentials = &entry.credentials;
    assert_eq!(credentials.kind(), CredentialKind::Token);
    assert_eq!(lines(credentials.instead_of_plugin()), [("token", 4), ("tokenFile", 5)]);
    assert_eq!(lines(credentials.impersonating()), [("as", 6), ("as-groups", 7), ("as-user-extra", 9)]);
    assert_eq!(credentials.impersonation.groups, ["ops"]);
    assert!(credentials.token_file.as_ref().unwrap().is_absolute());
    assert!(!format!("{entry:?}").contains("SECRET"), "{entry:?}");
    let kind = |user| config.entry(None, Some(user)).unwrap().credentials.kind();
    assert_eq!(kind("certificate"), CredentialKind::Certificate);
    assert_eq!(kind("removed"), CredentialKind::AuthProvider);
    assert_eq!(kind("repeated"), CredentialKind::None);
}

#[test]
fn files_are_found_by_flag_variable_and_home() {
    let files = folder(&[("a", FIRST), ("b", SECOND)]);
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".kube")).unwrap();
    std::fs::write(home.path().join(".kube/config"), "current-context: home").unwrap();
    let load = |explicit: Option<&str>, list: Option<&OsStr>| {
        let explicit = explicit.map(|name| files.path().join(name));
        Kubeconfig::load(explicit.as_deref(), list, Some(home.path()))
    };
    let current = |loaded: Result<Kubeconfig, _>| loaded.map(|config| config.current_context().map(str::to_owned));
    assert_eq!(current(load(None, None)).unwrap().as_deref(), Some("home"));
    assert_eq!(current(load(None, Some(OsStr::new("")))).unwrap().as_deref(), Some("home"));
    assert_eq!(current(load(Some("b"), Some(&list(&files, &["a"])))).unwrap().as_deref(), Some("other"));
    assert!(matches!(load(Some("missing"), None), Err(KubeconfigError::Unreadable { .. })));
    let error = load(None, Some(&list(&files, &["missing"]))).unwrap_err();
    assert!(matches!(&error, KubeconfigError::Empty { looked_at } if looked_at.len() == 1), "{error}");
    assert!(error.to_string().starts_with("there is no kubeconfig at "), "{error}");
    assert!(matches!(Kubeconfig::load(None, None, None), Err(KubeconfigError::Empty { .. })));
    assert!(matches!(load(Some("."), None), Err(KubeconfigError::Unreadable { .. })));
}

#[test]
fn damaged_files_are_named_but_not_quoted() {
    for (text, line) in [
        ("SECRET", "(line 1)"),
        ("users:\n- name: [SECRET", "(line "),
        ("users:\n- name: a\n  user: SECRET\n", "(line 3)"),
        ("a: b\n\tSECRET: [", "(line "),
        ("contexts:\n  SECRET: 1", "(line 2)"),
    ] {
        let error = one(text).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(matches!(error, KubeconfigError::Malformed { .. }), "{said}");
        assert!(said.contains("config") && said.contains(line) && !said.contains("SECRET"), "{said}");
    }
    let twice = one("users: [{name: a}, {name: a}]").unwrap_err();
    assert!(twice.to_string().ends_with("defines the user \"a\" twice"), "{twice}");
    let huge = one(&"#".repeat(16 * 1024 * 1024 + 1)).unwrap_err();
    assert!(matches!(huge, KubeconfigError::TooLarge { .. }), "{huge}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c"), b"a: 1\nb: \xff\n").unwrap();
    let error = Kubeconfig::load(Some(&folder.path().join("c")), None, None).unwrap_err();
    assert!(matches!(error, KubeconfigError::Malformed { at: ParseErrorLine { line: Some(2), .. }, .. }), "{error}");
}

#[test]
fn unusual_valid_files_are_read() {
    let long = "QUJD".repeat(200_000);
    for text in [
        "---\n".to_owned(),
        "# nothing\n".to_owned(),
        "\u{feff}current-context: x\r\n".to_owned(),
        "contexts: null\nusers: ~\nclusters:\n".to_owned(),
        "contexts: []\ncontexts: []\n".to_owned(),
        "x: &a {name: n, user: {exec: {command: c}}}\nusers: [*a]\n".to_owned(),
        "current-context: x\n---\n".to_owned(),
        "current-context: x\n---\ncurrent-context: y\n".to_owned(),
        "current-context: x\n---\n- what: [\n".to_owned(),
        format!(r#"{{"clusters":[{{"cluster":{{"certificate-authority-data":"{long}","server":"s"}},"name":"n"}}]}}"#),
        format!("clusters:\n- cluster:\n    certificate-authority-data: {long}\n    server: s\n  name: n\n"),
        format!("users: [{}]", (0..5000).map(|n| format!("{{name: u{n}, user: {{token: t}}}}, ")).collect::<String>()),
    ] {
        if let Err(error) = one(&text) {
            panic!("{error}: {}", &text[..text.len().min(80)]);
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", yaml in "[-{}\\[\\]:,&*!|>'\"# \na-z]{0,80}") {
        for text in [text.as_str(), yaml.as_str()] {
            let mut config = Kubeconfig::default();
            let _ = config.add(Path::new("f"), text.as_bytes());
            let _ = config.entry(None, Some("a"));
            let wrapped = format!("users: [{{name: a, user: {{exec: {{command: {text}}}}}}}]");
            let _ = config.add(Path::new("f"), wrapped.as_bytes());
            let _ = config.entry(None, Some("a")).map(|entry| entry.exec.map(|exec| exec.own_arguments().map(<[String]>::len)));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Kubeconfig::default().add(Path::new("f"), &bytes);
    }
}
