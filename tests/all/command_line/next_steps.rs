//! Commands in next steps contain the context, so that they can be pasted.

use sim::{Behaviour, World};

use crate::common::{Home, NEVER, Run, entra, oidc};

#[test]
fn next_step_of_the_plugin_names_the_context_of_its_entry() {
    let (world, home) = (World::start(), Home::new());
    let (one, other) = (entra(&world, &NEVER), oidc(&world, &NEVER));
    let step = |command: &str| format!("If you can sign in here: kubectl login --prompt always{command}\n");
    let says = |home: &Home, args: &[String], command: &str| {
        home.run_as_new_caller(args).assert_failed(3, &[&step(command)]);
    };
    says(&home, &one, "");
    home.contexts(&[("prod", one.clone()), ("my shop", other.clone()), ("status", entra(&world, &["--prompt=never"]))]);
    says(&home, &one, "");
    says(&home, &other, " 'my shop'");
    says(&home, &entra(&world, &["--prompt=never"]), " --context=status");
    says(&home, &oidc(&world, &["--prompt=never"]), "");
}

#[test]
fn next_step_of_a_command_repeats_its_selection() {
    let world = World::start_with(&[Behaviour::AuthorizationDeclined]);
    let home = Home::new();
    home.contexts(&[("prod", entra(&world, &[])), ("shop", oidc(&world, &[]))]);
    let file = home.write("elsewhere.yaml", &std::fs::read_to_string(home.path().join(".kube/config")).unwrap());
    let file = file.to_str().unwrap();
    let run = |args: &[&str]| home.run(args);
    let last = |run: &Run| run.stderr.lines().last().unwrap().to_owned();
    for (args, expected) in [
        (&["whoami"][..], "kubectl login prod".to_owned()),
        (&["whoami", "shop"], "kubectl login shop".to_owned()),
        (&["whoami", "--kubeconfig", file], format!("kubectl login prod --kubeconfig {file}")),
        (&["whoami", "--user", "shop"], "kubectl login --user shop".to_owned()),
    ] {
        let run = run(args);
        assert!(run.code == Some(3) && last(&run).ends_with(&format!(": {expected}")), "{expected}: {run}");
    }
    for (args, expected) in [
        (&["--prompt=never"][..], "kubectl login --prompt always".to_owned()),
        (&["--prompt=never", "prod"], "kubectl login --prompt always prod".to_owned()),
        (&["--prompt=never", "--kubeconfig", file], format!("kubectl login --prompt always --kubeconfig {file}")),
    ] {
        run(args).assert_failed(3, &[&format!(": {expected}\n")]);
    }
    let run = Run::of(home.plugin(&["whoami", "shop"]).env("CI", "true"));
    run.assert_failed(3, &["although CI is set: kubectl login --prompt always shop\n"]);
}

/// The name comes from a kubeconfig, and users paste the line.
#[test]
fn context_named_like_a_flag_or_command_is_suggested_with_its_flag() {
    let (world, home) = (World::start(), Home::new());
    for (name, by_context, by_user) in [
        ("--browser-command=/bin/x", "--context=--browser-command=/bin/x", "--user=--browser-command=/bin/x"),
        ("\u{200b}--all", "--context=--all", "--user=--all"),
        ("-a b", "--context='-a b'", "--user='-a b'"),
        ("logout", "--context=logout", "--user logout"),
    ] {
        home.contexts(&[(name, oidc(&world, &[]))]);
        home.run(&["whoami"]).assert_failed(3, &[&format!(": kubectl login {by_context}\n")]);
        let by_name = home.run(&["whoami", &format!("--user={name}")]);
        by_name.assert_failed(3, &[&format!(": kubectl login {by_user}\n")]);
    }
}
