//! A terminal of a test's own: a private tmux server with one window, in which one program runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::TempDir;

use crate::common::picture::Picture;
use crate::common::{HANG, Home, PLUGIN, needed};

/// Between two looks at the screen.
const PAUSE: Duration = Duration::from_millis(30);

/// Runs the program and then stays, so that its last screen can be read. The end is told in the stream itself, as a
/// title: once tmux shows that, everything the program wrote is on the screen. The first word is where stdout goes, or
/// `-` for the terminal. Ctrl-C is for the program only.
const RUN: &str = r#"trap : INT
case $0 in -) "$@" ;; *) "$@" >"$0" ;; esac
printf '\033]2;ended with %d\033\\' $?
exec sleep 600"#;
const ENDED: &str = "ended with ";

/// A script around the plugin, which is its `$@`: notes the process id down, and what the terminal was like before and
/// afterwards. See [`Screen::assert_ends`].
pub const AROUND: &str = r#"trap : INT
stty -g >before
sh -c 'echo $$ >pid; exec "$@"' sh "$@"
code=$?
stty -g >after
exit $code"#;

/// The screen as it is, and nothing drawn by tmux itself. With `set-clipboard`, OSC 52 fills its paste buffer.
const CONFIGURATION: &str = "set -g status off\nset -s set-clipboard on\nset -s escape-time 0\n";

/// What kind of terminal it is, and what the program in it finds: nothing of the developer's environment but `PATH`.
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
    pub fn of(home: &Home) -> Setting {
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
        // People read local times. So that they are as long everywhere, all live in one place.
        .env("TZ", "UTC")
        .env("LANG", "C.UTF-8")
        .env(clock, time)
    }

    pub fn size(self, columns: usize, rows: usize) -> Setting {
        Setting { columns, rows, ..self }
    }

    /// A variable for the program; the last one of a name wins.
    pub fn env(mut self, name: &str, value: &str) -> Setting {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With `NO_COLOR` set.
    pub fn no_color(self) -> Setting {
        Setting { coloured: false, ..self }.env("NO_COLOR", "1")
    }

    /// A terminal that calls itself dumb.
    pub fn dumb(self) -> Setting {
        Setting { term: "dumb".to_owned(), coloured: false, ..self }
    }

    /// A locale that can say nothing but ASCII.
    pub fn without_utf8(self) -> Setting {
        self.env("LANG", "C")
    }

    /// stdout goes into a file, as kubectl takes the answer away from the terminal: [`Screen::stdout`].
    pub fn stdout_aside(self) -> Setting {
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
        // The path of a socket cannot be long.
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let socket = folder.path().join("socket");
        let configuration = folder.path().join("tmux.conf");
        fs::write(&configuration, format!("{CONFIGURATION}set -g default-terminal {}\n", self.term)).unwrap();
        let mut command = Command::new(&tmux);
        sim::isolate(command.env_clear(), &self.home);
        command.env("PATH", std::env::var_os("PATH").unwrap()).envs(self.variables.iter().cloned());
        // Programs of the distributions may need to be told where a TERM is described.
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
    /// Waits until `text` is on the screen, be it wrapped over two lines.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.until(&format!("{text:?} is on the screen"), || {
            self.ask(&["capture-pane", "-p", "-J"]).contains(text).then_some(())
        });
    }

    /// Waits until the program has ended, and hands back its exit code as a shell sees it.
    #[track_caller]
    pub fn wait_for_exit(&self) -> i32 {
        self.until("the program has ended", || {
            self.ask(&["display-message", "-p", "#{pane_title}"]).trim().strip_prefix(ENDED)?.parse().ok()
        })
    }

    /// Asserts the exit code of what ran [`AROUND`] it, and that the terminal is as it was.
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

    /// Presses keys by tmux's names for them: `C-c`, `Enter`, `Tab`, `y`.
    pub fn press(&self, keys: &[&str]) {
        self.ask(&[&["send-keys"], keys].concat());
    }

    /// Types text as it is.
    pub fn type_text(&self, text: &str) {
        self.ask(&["send-keys", "-l", text]);
    }

    /// Pastes text as a terminal does: line ends become Enter.
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

    /// Gives the window another size; the program gets SIGWINCH.
    pub fn resize(&mut self, columns: usize, rows: usize) {
        self.ask(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        (self.columns, self.rows) = (columns, rows);
    }

    /// What is on the screen now, as text: lines right-trimmed, no empty lines at the end.
    pub fn capture(&self) -> String {
        self.picture().text()
    }

    /// All that was ever on the screen, with wrapped lines in one piece.
    pub fn history(&self) -> String {
        self.ask(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    /// Whether the terminal shows what is typed, and lets lines be edited.
    pub fn echoes(&self) -> bool {
        let terminal = self.ask(&["display-message", "-p", "#{pane_tty}"]);
        let terminal = open(terminal.trim(), OFlags::RDONLY | OFlags::NOCTTY, Mode::empty()).unwrap();
        let modes = tcgetattr(terminal).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// The lines that have colours, with these in braces.
    pub fn capture_styled(&self) -> String {
        self.picture().styled()
    }

    /// What is on the screen now, colours included.
    pub fn picture(&self) -> Picture {
        Picture::read(&self.ask(&["capture-pane", "-p", "-e", "-J"]), self.columns)
    }

    /// What the program put on the clipboard by OSC 52.
    pub fn clipboard(&self) -> Option<String> {
        let shown = self.command(&["show-buffer"]).output().unwrap();
        shown.status.success().then(|| String::from_utf8(shown.stdout).unwrap())
    }

    /// What went to stdout, where that was put aside.
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.setting.stdout.as_ref().expect("a stdout that was put aside")).unwrap()
    }

    /// Whether the program may use colours here.
    pub fn is_coloured(&self) -> bool {
        self.setting.coloured
    }

    /// The home of the program.
    pub fn home(&self) -> &Path {
        &self.setting.home
    }

    /// For what has no event to wait for: looks again and again, and shows the screen when it gives up.
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
