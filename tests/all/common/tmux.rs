//! A test's own terminal: a private tmux server with one window, in which one program runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::TempDir;

use crate::common::picture::Picture;
use crate::common::{HANG, Home, PLUGIN, needed};

/// The interval for polling the screen.
const PAUSE: Duration = Duration::from_millis(30);

/// Runs the program and then waits, so that its last screen can be read. The end is reported in the terminal's output,
/// as a title: when tmux shows it, everything that the program wrote is on the screen. The first word is the target of
/// stdout, or `-` for the terminal. Ctrl-C reaches only the program.
const RUN: &str = r#"trap : INT
case $0 in -) "$@" ;; *) "$@" >"$0" ;; esac
printf '\033]2;ended with %d\033\\' $?
exec sleep 600"#;
const ENDED: &str = "ended with ";

/// A script around the plugin, its `$@`: records the process id, and the terminal's settings before and afterwards. See
/// [`Screen::assert_ends`].
pub const WRAPPER: &str = r#"trap : INT
stty -g >before
sh -c 'echo $$ >pid; exec "$@"' sh "$@"
code=$?
stty -g >after
exit $code"#;

/// Without tmux's own status line. With `set-clipboard`, OSC 52 fills its paste buffer.
const CONFIGURATION: &str = "set -g status off\nset -s set-clipboard on\nset -s escape-time 0\n";

/// The kind of terminal, and the environment of the program in it: from the developer's, only `PATH`.
#[derive(Clone)]
pub struct Setting {
    home: PathBuf,
    columns: usize,
    rows: usize,
    term: String,
    coloured: bool,
    variables: Vec<(String, String)>,
    stdout: Option<PathBuf>,
}

impl Setting {
    /// 80×24, `TERM=tmux-256color`, UTF-8.
    pub fn new(home: &Home) -> Setting {
        let (clock, time) = home.clock_variable();
        Setting {
            home: home.path().to_owned(),
            columns: 80,
            rows: 24,
            term: "tmux-256color".to_owned(),
            coloured: true,
            variables: Vec::new(),
            stdout: None,
        }
        // Local times always have the same length, because all tests use one time zone.
        .env("TZ", "UTC")
        .env("LANG", "C.UTF-8")
        .env(clock, time)
    }

    pub fn size(self, columns: usize, rows: usize) -> Setting {
        Setting { columns, rows, ..self }
    }

    /// Sets a variable for the program; overrides an earlier one.
    pub fn env(mut self, name: &str, value: &str) -> Setting {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets `NO_COLOR`.
    pub fn no_color(self) -> Setting {
        Setting { coloured: false, ..self }.env("NO_COLOR", "1")
    }

    /// A terminal with `TERM=dumb`.
    pub fn dumb(self) -> Setting {
        Setting { term: "dumb".to_owned(), coloured: false, ..self }
    }

    /// A locale that supports only ASCII.
    pub fn without_utf8(self) -> Setting {
        self.env("LANG", "C")
    }

    /// Redirects stdout into a file, as kubectl does with a pipe: [`Screen::stdout`].
    pub fn redirect_stdout(self) -> Setting {
        let stdout = Some(self.home.join("stdout"));
        Setting { stdout, ..self }
    }

    /// Starts the plugin with these arguments.
    pub fn plugin<S: AsRef<str>>(&self, args: &[S]) -> Screen {
        let args = args.iter().map(AsRef::as_ref);
        self.program(&std::iter::once(PLUGIN).chain(args).collect::<Vec<_>>())
    }

    /// Starts a program: its name or path, and its arguments.
    pub fn program(&self, words: &[&str]) -> Screen {
        let tmux = needed("tmux", "tmux");
        // Paths of sockets have to be short.
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let socket = folder.path().join("socket");
        let configuration = folder.path().join("tmux.conf");
        fs::write(&configuration, format!("{CONFIGURATION}set -g default-terminal {}\n", self.term)).unwrap();
        let mut command = Command::new(&tmux);
        sim::isolate(command.env_clear(), &self.home);
        command.env("PATH", std::env::var_os("PATH").unwrap()).envs(self.variables.iter().cloned());
        // Programs of the distributions may need the location of terminal descriptions.
        command.envs(std::env::var_os("TERMINFO_DIRS").map(|folders| ("TERMINFO_DIRS", folders)));
        command.current_dir(&self.home).arg("-u").arg("-S").arg(&socket).arg("-f").arg(&configuration);
        command.args(["new-session", "-d", "-x", &self.columns.to_string(), "-y", &self.rows.to_string()]);
        command.args(["sh", "-c", RUN]).arg(self.stdout.as_deref().unwrap_or(Path::new("-"))).args(words);
        let screen = Screen { tmux, socket, folder, setting: self.clone(), columns: self.columns, rows: self.rows };
        let started = command.output().unwrap();
        assert!(started.status.success(), "tmux: {}", String::from_utf8_lossy(&started.stderr));
        screen
    }
}

/// A running terminal. The server and the program in it end when this is dropped.
pub struct Screen {
    tmux: PathBuf,
    socket: PathBuf,
    /// Holds the socket; removed with the screen, after the server.
    folder: TempDir,
    setting: Setting,
    columns: usize,
    rows: usize,
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).output();
    }
}

impl Screen {
    /// Waits until `text` is on the screen, even if it is wrapped over two lines.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.until(&format!("{text:?} is on the screen"), || {
            self.ask(&["capture-pane", "-p", "-J"]).contains(text).then_some(())
        });
    }

    /// Waits until the program has ended, and returns its exit code as a shell sees it.
    #[track_caller]
    pub fn wait_for_exit(&self) -> i32 {
        self.until("the program has ended", || {
            self.ask(&["display-message", "-p", "#{pane_title}"]).trim().strip_prefix(ENDED)?.parse().ok()
        })
    }

    /// Asserts the exit code of a program in [`WRAPPER`], and that the terminal's settings are as before.
    #[track_caller]
    pub fn assert_ends(&self, code: i32) {
        assert_eq!(self.wait_for_exit(), code, "{}", self.history());
        let noted = |name: &str| fs::read_to_string(self.setting.home.join(name)).unwrap();
        assert_eq!(noted("before"), noted("after"));
        assert!(self.echoes());
    }

    /// Whether the program has ended.
    pub fn has_ended(&self) -> bool {
        self.ask(&["display-message", "-p", "#{pane_title}"]).starts_with(ENDED)
    }

    /// Presses keys by tmux's names: `C-c`, `Enter`, `Tab`, `y`.
    pub fn press(&self, keys: &[&str]) {
        self.ask(&[&["send-keys"], keys].concat());
    }

    /// Types text literally.
    pub fn type_text(&self, text: &str) {
        self.ask(&["send-keys", "-l", text]);
    }

    /// Pastes text as a terminal does: line breaks become Enter.
    pub fn paste(&self, text: &str) {
        let file = self.folder.path().join("paste");
        fs::write(&file, text).unwrap();
        self.ask(&["load-buffer", "-b", "paste", file.to_str().unwrap()]);
        self.ask(&["paste-buffer", "-d", "-b", "paste"]);
    }

    /// Pastes a line and presses Enter.
    pub fn paste_line(&self, line: &str) {
        self.paste(&format!("{line}\n"));
    }

    /// Types a line and presses Enter.
    pub fn type_line(&self, line: &str) {
        self.type_text(line);
        self.press(&["Enter"]);
    }

    /// Changes the size of the window; the program gets SIGWINCH.
    pub fn resize(&mut self, columns: usize, rows: usize) {
        self.ask(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        (self.columns, self.rows) = (columns, rows);
    }

    /// The current screen as text: lines right-trimmed, no empty lines at the end.
    pub fn capture(&self) -> String {
        self.picture().text()
    }

    /// Everything that was ever on the screen, with wrapped lines joined.
    pub fn history(&self) -> String {
        self.ask(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    /// Whether the terminal echoes typed text and supports line editing.
    pub fn echoes(&self) -> bool {
        let terminal = self.ask(&["display-message", "-p", "#{pane_tty}"]);
        let terminal = open(terminal.trim(), OFlags::RDONLY | OFlags::NOCTTY, Mode::empty()).unwrap();
        let modes = tcgetattr(terminal).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// The lines with colours, which are in braces.
    pub fn capture_styled(&self) -> String {
        self.picture().styled()
    }

    /// The current screen, with colours.
    pub fn picture(&self) -> Picture {
        Picture::read(&self.ask(&["capture-pane", "-p", "-e", "-J"]), self.columns)
    }

    /// The text that the program copied to the clipboard by OSC 52.
    pub fn clipboard(&self) -> Option<String> {
        let shown = self.command(&["show-buffer"]).output().unwrap();
        shown.status.success().then(|| String::from_utf8(shown.stdout).unwrap())
    }

    /// The redirected stdout.
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.setting.stdout.as_ref().expect("a redirected stdout")).unwrap()
    }

    /// Whether the program may use colours.
    pub fn is_coloured(&self) -> bool {
        self.setting.coloured
    }

    /// The home directory of the program.
    pub fn home(&self) -> &Path {
        &self.setting.home
    }

    /// Polls for something that has no event. Shows the screen if it gives up.
    #[track_caller]
    pub fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            assert!(started.elapsed() < HANG, "still waiting until {what}; the screen:\n{}", self.capture());
            std::thread::sleep(PAUSE);
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.tmux);
        command.env_clear().env("LANG", "C.UTF-8").arg("-u").arg("-S").arg(&self.socket).args(words);
        command
    }

    fn ask(&self, words: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(words).output().unwrap();
        assert!(status.success(), "tmux {words:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }
}
