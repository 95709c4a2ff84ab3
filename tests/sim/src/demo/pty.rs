//! A pseudo-terminal for a child's stdout, so that the plugin lays out what it prints as on a real terminal.

use std::fs::File;
use std::io;
use std::process::Stdio;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

/// Returns the end to read from and the child's end.
///
/// Not its controlling terminal: Ctrl-C stays with the terminal that the demo runs in. On Linux, reading fails with an
/// I/O error once the child's end is closed.
pub(super) fn of_width(columns: u16) -> io::Result<(File, Stdio)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = ptsname(&ours, Vec::new())?;
    let childs = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    tcsetwinsize(&childs, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
    // Lines end as the child wrote them, without a carriage return.
    let mut attributes = tcgetattr(&childs)?;
    attributes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&childs, OptionalActions::Now, &attributes)?;
    Ok((File::from(ours), Stdio::from(childs)))
}
