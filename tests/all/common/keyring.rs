//! A test's own keyring: gnome-keyring on a private session bus that starts no services by itself.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::waiting::wait_until;
use crate::common::{Home, all_below, needed};

/// Runs the bus and the daemon. Ends when its standard input is closed, so at the end of the test in any case.
const SESSION: &str = r#"
echo "$DBUS_SESSION_BUS_ADDRESS"
gnome-keyring-daemon --foreground --unlock --components=secrets <"$1" >/dev/null 2>&1 &
echo $!
cat >/dev/null
kill -CONT $!
kill $!
wait $!
"#;

/// A bus without activation, at first: a daemon that has ended is not restarted.
const CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=FOLDER</listen>
  <servicedir>FOLDER/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

const SERVICE: &str = "org.freedesktop.secrets";
const LOGIN: &str = "/org/freedesktop/secrets/collection/login";

/// A session bus with an unlocked keyring. The keyring's file is in the home directory.
pub struct Keyring {
    session: Child,
    home: PathBuf,
    address: String,
    daemon: Pid,
}

impl Drop for Keyring {
    fn drop(&mut self) {
        drop(self.session.stdin.take());
        let _ = self.session.wait();
    }
}

impl Keyring {
    /// Starts the bus and the daemon, and waits until the login collection exists and is unlocked.
    pub fn start(home: &Home) -> Keyring {
        for (program, package) in [
            ("dbus-run-session", "dbus"),
            ("gnome-keyring-daemon", "gnome-keyring"),
            ("secret-tool", "libsecret-tools"),
        ] {
            needed(program, package);
        }
        let folder = home.path();
        let configuration = folder.join("bus.conf");
        fs::write(&configuration, CONFIGURATION.replace("FOLDER", &folder.display().to_string())).unwrap();
        fs::create_dir_all(folder.join("services")).unwrap();
        let password = folder.join("keyring-password");
        fs::write(&password, "the same every time\n").unwrap();
        let mut command = Command::new("dbus-run-session");
        sim::isolate(&mut command, folder).arg("--config-file").arg(&configuration);
        command.args(["--", "sh", "-c", SESSION, "session"]).arg(&password);
        let mut session = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(session.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.next().expect("a session bus");
        let daemon = Pid::from_raw(lines.next().expect("a keyring daemon").parse().unwrap()).unwrap();
        let keyring = Keyring { session, home: folder.to_owned(), address, daemon };
        wait_until("the keyring is open", || keyring.says_locked("boolean false"));
        keyring
    }

    /// Whether the login collection's property `Locked` has this value.
    fn says_locked(&self, value: &str) -> bool {
        let collection = "string:org.freedesktop.Secret.Collection";
        let locked = self.send(LOGIN, "org.freedesktop.DBus.Properties.Get", &[collection, "string:Locked"]);
        locked.is_some_and(|answer| answer.contains(value))
    }

    /// Connects a command to this bus.
    pub fn on_bus<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address)
    }

    /// The address of the bus.
    #[allow(dead_code, reason = "a benchmark connects further programs")]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Locks the login collection, as a screen saver would.
    pub fn lock(&self) {
        let path = format!("array:objpath:{LOGIN}");
        let answer = self.send("/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock", &[&path]);
        assert!(answer.expect("a response").contains(LOGIN), "the collection was not locked");
        wait_until("the keyring is locked", || self.says_locked("boolean true"));
    }

    /// Stops the daemon (SIGSTOP): it keeps its name on the bus and does not respond.
    pub fn freeze(&self) {
        kill_process(self.daemon, Signal::STOP).unwrap();
    }

    /// Lets a frozen daemon continue.
    pub fn thaw(&self) {
        kill_process(self.daemon, Signal::CONT).unwrap();
    }

    /// Kills the daemon and waits until the bus has noticed.
    pub fn kill(&self) {
        kill_process(self.daemon, Signal::KILL).unwrap();
        wait_until("the daemon is gone", || {
            let mut command = self.command("dbus-send");
            command.args(["--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner"]);
            let answer = command.arg(format!("string:{SERVICE}")).output().unwrap();
            String::from_utf8_lossy(&answer.stdout).contains("boolean false")
        });
    }

    /// Makes the bus start the daemon when it is called, as on a desktop. It ends with the bus.
    #[allow(dead_code, reason = "a benchmark does not need it")]
    pub fn start_when_called(&self) {
        let daemon = "exec gnome-keyring-daemon --foreground --unlock --components=secrets";
        let file = self.home.join("keyring-password");
        let command = format!("/bin/sh -c \"{daemon} <'{}'\"", file.display());
        let service = format!("[D-BUS Service]\nName={SERVICE}\nExec={command}\n");
        fs::write(self.home.join("services").join(format!("{SERVICE}.service")), service).unwrap();
        let mut command = self.command("dbus-send");
        command.args(["--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.ReloadConfig"]);
        assert!(command.stdout(Stdio::null()).status().unwrap().success());
    }

    /// The keyring's item with this name of the plugin: `key` or `probe`.
    pub fn item(&self, name: &str) -> Option<String> {
        let found = self.command("secret-tool").args(["lookup", "service", "kubectl-login", "username", name]).output();
        let found = found.unwrap();
        found.status.success().then(|| String::from_utf8(found.stdout).unwrap())
    }

    /// Replaces the keyring's item with this name of the plugin, or deletes it.
    pub fn replace_item(&self, name: &str, secret: Option<&str>) {
        let attributes = ["service", "kubectl-login", "username", name];
        assert!(self.command("secret-tool").arg("clear").args(attributes).status().unwrap().success());
        let Some(secret) = secret else { return };
        let text = self.home.join("secret");
        fs::write(&text, secret).unwrap();
        let mut command = self.command("secret-tool");
        command.args(["store", "--label", "of a test"]).args(attributes).stdin(fs::File::open(&text).unwrap());
        assert!(command.status().unwrap().success());
        fs::remove_file(text).unwrap();
    }

    /// Records each call on this bus from now on.
    pub fn watch(&self) -> Watch<'_> {
        let path = self.home.join("calls");
        let file = fs::File::create(&path).unwrap();
        let monitor = self.command("dbus-monitor").stdout(file).stderr(Stdio::null()).spawn().unwrap();
        let watch = Watch { keyring: self, path, monitor };
        // A monitor reports that it has lost its own name as soon as it is one.
        wait_until("the monitor listens", || watch.text().contains("member=NameLost"));
        watch
    }

    fn send(&self, path: &str, method: &str, arguments: &[&str]) -> Option<String> {
        let mut command = self.command("dbus-send");
        command.args(["--print-reply", &format!("--dest={SERVICE}"), path, method]).args(arguments);
        let answer = command.stderr(Stdio::null()).output().unwrap();
        answer.status.success().then(|| String::from_utf8(answer.stdout).unwrap())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.on_bus(sim::isolate(&mut command, &self.home)).stdin(Stdio::null());
        command
    }
}

/// The calls on a bus.
pub struct Watch<'a> {
    keyring: &'a Keyring,
    path: PathBuf,
    monitor: Child,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

impl Watch<'_> {
    /// The names of the methods that were called since the recording began, oldest first.
    pub fn calls(&self) -> Vec<String> {
        let mark = ["--type=signal", "/", "kubectl.login.tests.EndOfWatch"];
        assert!(self.keyring.command("dbus-send").args(mark).status().unwrap().success());
        wait_until("the monitor has caught up", || self.text().contains("member=EndOfWatch"));
        let text = self.text();
        let calls = text.lines().filter(|line| line.starts_with("method call"));
        calls.filter_map(|line| Some(line.rsplit_once("member=")?.1.trim().to_owned())).collect()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.path).unwrap()).into_owned()
    }
}

/// The files below `folder` that contain `text`.
pub fn files_with(folder: &Path, text: &str) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        let is_file = path.symlink_metadata().unwrap().is_file();
        is_file && fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    };
    all_below(folder).into_iter().filter(holds).collect()
}
