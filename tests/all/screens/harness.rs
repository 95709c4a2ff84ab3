//! Tests of the terminal that the other tests use.

use crate::common::Home;
use crate::common::tmux::Setting;

#[test]
fn screen_has_text_styles_and_exit_code() {
    let home = Home::new();
    let script = r"printf '\033[1;32mbold\033[0m plain\n'; printf '\033[48;5;200mpink\033[0m\n'; tput cols; exit 7";
    let screen = Setting::new(&home).program(&["sh", "-c", script]);
    assert_eq!(screen.wait_for_exit(), 7);
    assert_eq!(screen.capture(), "bold plain\npink\n80\n");
    assert_eq!(screen.capture_styled(), "{bold green}bold{} plain\n{on #200}pink{}\n");
}

#[test]
fn ctrl_c_and_resizing_reach_the_program() {
    let home = Home::new();
    let script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut screen = Setting::new(&home).program(&["sh", "-c", script]);
    screen.wait_for("ready");
    screen.resize(60, 20);
    screen.wait_for("20 60");
    screen.press(&["C-c"]);
    assert_eq!(screen.wait_for_exit(), 130);
}

#[test]
fn copied_text_is_on_the_clipboard() {
    let home = Home::new();
    let screen = Setting::new(&home).program(&["printf", r"\033]52;c;V0RKQi1NSkhU\033\\"]);
    assert_eq!(screen.wait_for_exit(), 0);
    assert_eq!(screen.clipboard().as_deref(), Some("WDJB-MJHT"));
    assert_eq!(Setting::new(&home).program(&["true"]).clipboard(), None);
}

#[test]
fn program_has_the_configured_environment() {
    let home = Home::new();
    let script = "echo \"[$TERM] [$LANG] [$NO_COLOR] [$HOME] [$CI] [$KUBECONFIG]\"";
    let shown = |setting: Setting| {
        let screen = setting.size(200, 10).program(&["sh", "-c", script]);
        screen.wait_for_exit();
        screen.capture()
    };
    let place = home.path().display();
    assert_eq!(shown(Setting::new(&home)), format!("[tmux-256color] [C.UTF-8] [] [{place}] [] []\n"));
    assert_eq!(shown(Setting::new(&home).dumb().without_utf8()), format!("[dumb] [C] [] [{place}] [] []\n"));
    assert_eq!(shown(Setting::new(&home).no_color()), format!("[tmux-256color] [C.UTF-8] [1] [{place}] [] []\n"));
}

#[test]
fn varying_text_is_masked_even_if_wrapped() {
    let home = Home::new();
    let words = "http://127.0.0.1:40123/oidc BCDFGHJKL WDJB-MJHT process 4711, 2026-01-31 08:09 14:59 80faf920-1908";
    let screen = Setting::new(&home).size(20, 24).program(&["printf", "%s\\n%s", words, "▀▄█ ▀▄█▀▄█▀"]);
    screen.wait_for_exit();
    let masked = screen.picture().masked(&[("oidc".to_owned(), "HERE".to_owned())]).text();
    let (masked, qr) =
        masked.trim_end().rsplit_once('\n').map(|(text, qr)| (text.replace('\n', ""), qr.to_owned())).unwrap();
    let expected = "http://127.0.0.1:#####/HERE @@@@@@@@@ @@@@-@@@@ process *, ####-##-## ##:## ##:## 80faf920-1908";
    assert_eq!((masked.as_str(), qr.as_str()), (expected, "▒▒▒▒▒▒▒▒▒▒▒"));
}
