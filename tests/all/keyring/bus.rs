//! What reading the key from the keyring does on the session bus, and what the bus may do.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;
use std::thread;

use super::{assert_warm, sign_in};
use crate::common::keyring::Keyring;
use crate::common::{Home, PLUGIN, Run, entra, needed};
use sim::World;

#[test]
fn key_is_read_over_one_connection_and_without_a_thread() {
    needed("strace", "strace");
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = sign_in(&world, &home, &keyring);
    let file = home.path().join("trace");
    let mut command = home.program("strace");
    command.args(["-f", "-qq", "-e", "trace=%network,%process", "-o"]).arg(&file).arg(PLUGIN);
    let warm = Run::of(keyring.on_bus(command.args(entra(&world, &[]))));
    assert_eq!(warm.token(), token);
    let trace = std::fs::read_to_string(file).unwrap();
    let count = |call: &str| trace.lines().filter(|line| line.contains(&format!(" {call}("))).count();
    let calls = ["socket", "connect", "sendto", "clone", "clone3", "fork", "vfork", "execve"].map(count);
    assert_eq!(calls, [1, 1, 3, 0, 0, 0, 0, 1], "{trace}");
}

#[test]
fn many_callers_at_once_read_the_key() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = sign_in(&world, &home, &keyring);
    // They are slow together, and none of them is late.
    home.lengthen_limits(10);
    world.reset_requests();
    let started: Vec<_> = (0..40)
        .map(|_| {
            let mut command = home.plugin(&entra(&world, &[]));
            keyring.on_bus(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in started {
        let warm = Run::wait(child);
        assert_eq!((warm.token(), warm.stderr.as_str()), (token.clone(), ""));
    }
    assert!(world.requests().is_empty());
}

#[test]
fn keyring_that_does_not_run_yet_is_started_by_the_bus() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = sign_in(&world, &home, &keyring);
    keyring.kill();
    keyring.start_when_called();
    home.lengthen_limits(10);
    assert_warm(&world, &home, &keyring, &token);
}

#[test]
fn bus_address_may_list_several_and_be_escaped() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = sign_in(&world, &home, &keyring);
    let missing = home.path().join("missing");
    let escaped = keyring.address().replace("dbus", "d%62us");
    for address in [
        format!("unix:path={};{}", missing.display(), keyring.address()),
        format!("unix:abstract=kubectl-login-tests-missing;{escaped}"),
    ] {
        let warm = Run::of(home.plugin(&entra(&world, &[])).env("DBUS_SESSION_BUS_ADDRESS", &address));
        assert_eq!(warm.token(), token, "{address}");
    }
    // systemd's place for the bus, without a variable.
    let path = keyring.address().split([',', ';']).next().unwrap().strip_prefix("unix:path=").unwrap().to_owned();
    let folder = home.path().join("runtime");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(path, folder.join("bus")).unwrap();
    let mut command = home.plugin(&entra(&world, &[]));
    let warm = Run::of(command.env_remove("DBUS_SESSION_BUS_ADDRESS").env("XDG_RUNTIME_DIR", folder));
    assert_eq!(warm.token(), token);
}

#[test]
fn key_is_read_inside_of_flatpak() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = sign_in(&world, &home, &keyring);
    let mut command = home.plugin(&entra(&world, &[]));
    assert_eq!(Run::of(keyring.on_bus(command.env("FLATPAK_ID", "com.example.Terminal"))).token(), token);
}

/// Runs a warm call on a bus that does with the connection what `script` says.
fn run_on(home: &Home, world: &World, script: fn(UnixStream)) -> Run {
    let socket = home.path().join("false-bus");
    let listener = UnixListener::bind(&socket).unwrap();
    let mut command = home.new_caller(&entra(world, &[]));
    command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket.display()));
    let bus = thread::spawn(move || script(listener.accept().unwrap().0));
    let run = Run::of(&mut command);
    bus.join().unwrap();
    std::fs::remove_file(socket).unwrap();
    run
}

#[test]
fn bus_that_is_not_one_costs_a_sign_in_and_no_more() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = sign_in(&world, &home, &keyring);
    home.shorten_limits(10);
    let silent = |mut bus: UnixStream| while bus.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {};
    run_on(&home, &world, silent).assert_failed(3, &["the keyring does not answer", "kubectl login"]);
    home.shorten_limits(1);
    let deaf = |bus: UnixStream| drop(bus);
    let talkative = |mut bus: UnixStream| while bus.write_all(&[b'x'; 4096]).is_ok() {};
    let endless = |mut bus: UnixStream| {
        bus.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n").unwrap();
        while bus.write_all(&[0xff; 4096]).is_ok() {}
    };
    for script in [deaf, talkative, endless] {
        run_on(&home, &world, script).assert_failed(3, &["there is no working keyring", "kubectl login"]);
    }
    assert_warm(&world, &home, &keyring, &token);
}
