//! The state of the terminal, and other input in it.

use rustix::process::Signal;

use sim::World;

use super::{SignIn, authcode, interactive};
use crate::common::remote_browser::{open, sign_in_at};
use crate::common::tmux::Setting;
use crate::common::{Home, PLUGIN, entra, in_parallel, oidc};

#[test]
fn input_is_hidden_during_the_sign_in_only() {
    let sign_in = SignIn::start(interactive, &[]);
    assert!(!sign_in.screen.echoes());
    sign_in.screen.paste("echo INVISIBLE");
    let page = open(&sign_in.final_address());
    page.assert_signed_in();
    sign_in.assert_succeeds(&["INVISIBLE"]);
}

#[test]
fn terminal_settings_are_restored_after_each_ending() {
    type End = (i32, &'static [&'static str], fn(&SignIn));
    let ends: [End; 5] = [
        (130, &[], |sign_in| sign_in.screen.press(&["C-c"])),
        (143, &[], |sign_in| sign_in.signal(Signal::TERM)),
        (143, &[], |sign_in| sign_in.signal(Signal::HUP)),
        (3, &["--authentication-timeout-sec=1"], |_| ()),
        (1, &[], |sign_in| {
            sign_in.world.set(sim::Behaviour::HtmlErrorPage);
            sign_in.screen.paste_line(&sign_in.final_address());
        }),
    ];
    in_parallel(ends, |(code, more, end)| {
        let sign_in = SignIn::start(authcode, more);
        end(&sign_in);
        sign_in.assert_ends(code);
        assert_eq!(sign_in.screen.stdout(), "");
    });
}

/// As a signal, Ctrl-\ would end the plugin before it can restore the terminal.
#[test]
fn ctrl_backslash_is_ignored() {
    let sign_in = SignIn::start(interactive, &[]);
    sign_in.wait_for_keyboard();
    sign_in.screen.press(&["C-\\", "C-u"]);
    sign_in.screen.paste_line(&sign_in.final_address());
    sign_in.assert_succeeds(&[]);
}

/// A terminal that was stopped with Ctrl-S accepts no output, but is still restored.
#[test]
fn stopped_terminal_is_restored() {
    let sign_in = SignIn::start(interactive, &[]);
    let answer = sign_in.final_address();
    sign_in.screen.press(&["C-s"]);
    open(&answer).assert_signed_in();
    sign_in.screen.until("the terminal is given back", || sign_in.screen.echoes().then_some(()));
    sign_in.screen.press(&["C-q"]);
    sign_in.assert_succeeds(&[]);
}

/// There is no shell that could continue it.
#[test]
fn ctrl_z_without_a_shell_is_ignored() {
    let sign_in = SignIn::start(interactive, &[]);
    sign_in.wait_for_keyboard();
    sign_in.screen.press(&["C-z"]);
    sign_in.screen.paste_line("nothing of use & nothing else");
    sign_in.screen.wait_for("there is no code in it");
    assert!(!sign_in.screen.echoes());
    sign_in.screen.paste_line(&sign_in.final_address());
    sign_in.assert_succeeds(&[]);
}

#[test]
fn stdin_is_not_read() {
    const PIPE: &str = r#"printf 'first\nsecond\n' | { "$@"; code=$?; cat >rest; exit $code; }"#;
    let sign_in = SignIn::within(PIPE, &[], interactive, &[]);
    sign_in.screen.paste_line(&sign_in.final_address());
    assert_eq!(sign_in.screen.wait_for_exit(), 0, "{}", sign_in.screen.history());
    assert_eq!(sign_in.read("rest"), "first\nsecond\n");
}

/// An invisible prompt must not disable the keyboard.
#[test]
fn redirected_prompt_does_not_read_the_keyboard() {
    let (world, home) = (World::start(), Home::new());
    let args = interactive(&world, &["--prompt", "always", "--skip-open-browser"]);
    let words: Vec<&str> =
        ["sh", "-c", r#""$@" 2>prompt"#, "sh", PLUGIN].into_iter().chain(args.iter().map(String::as_str)).collect();
    let screen = Setting::new(&home).redirect_stdout().program(&words);
    let prompt = screen.until("the prompt is in the file", || {
        let text = std::fs::read_to_string(home.path().join("prompt")).ok()?;
        text.contains("You have 3 minutes").then_some(text)
    });
    assert!(screen.echoes() && !prompt.contains("paste"), "{prompt}");
    let address = prompt.lines().find(|line| line.starts_with("http")).unwrap();
    open(&sign_in_at(address)).assert_signed_in();
    assert_eq!(screen.wait_for_exit(), 0, "{}", screen.history());
}

/// A full-screen program reads its keys itself.
#[test]
fn terminal_of_a_full_screen_program_is_left_alone() {
    const TAKEN: &str = r#"stty -icanon -echo
stty -g >before
"$@"
code=$?
stty -g >after
dd bs=1 count=4 >keys 2>dd-says
exit $code"#;
    let sign_in = SignIn::within(TAKEN, &[], interactive, &[]);
    sign_in.screen.type_text("keys");
    assert!(!sign_in.screen.history().contains("paste"), "{}", sign_in.screen.history());
    open(&sign_in.final_address()).assert_signed_in();
    assert_eq!(sign_in.screen.wait_for_exit(), 0, "{}", sign_in.screen.history());
    assert_eq!((sign_in.read("before"), sign_in.read("keys").as_str()), (sign_in.read("after"), "keys"));
}

#[test]
fn prompt_is_not_drawn_over_another_programs_screen() {
    const RAW: &str = r#"stty raw -echo
"$0" "$@"
first=$?
"$0" "$@" --timeout 9s 2>said
second=$?
stty sane
exit $((first * 10 + second))"#;
    let (world, home) = (World::start(), Home::new());
    for (args, code) in [(entra(&world, &[]), 33), (oidc(&world, &["--grant-type=device-code"]), 33)] {
        let words: Vec<&str> = ["sh", "-c", RAW, PLUGIN].into_iter().chain(args.iter().map(String::as_str)).collect();
        let screen = Setting::new(&home).program(&words);
        assert_eq!(screen.wait_for_exit(), code, "{}", screen.history());
        let said = std::fs::read_to_string(home.path().join("said")).unwrap();
        assert!(said.contains("another program has taken over the terminal"), "{said}");
        assert!(said.contains("Next:  In another terminal, sign in: kubectl login"), "{said}");
    }
    assert!(world.device_requests().is_empty());

    // Emacs's shell leaves out the carriage return and is a terminal like others.
    let emacs = "stty -onlcr; exec \"$0\" \"$@\"";
    let args = entra(&world, &[]);
    let words: Vec<&str> = ["sh", "-c", emacs, PLUGIN].into_iter().chain(args.iter().map(String::as_str)).collect();
    assert_eq!(Setting::new(&home).program(&words).wait_for_exit(), 0);
}
