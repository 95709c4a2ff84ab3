//! Reserves stdout for the ExecCredential: nothing else can write to it.

use std::fs::File;
use std::io::{self, Write as _};

use kubectl_login::messages::Result;
use kubectl_login::messages::command::token_not_written;

/// The real stdout. Whatever else writes to file descriptor 1 goes to stderr.
pub(super) struct ReservedStdout(File);

impl ReservedStdout {
    /// Reserves stdout.
    #[cfg(unix)]
    pub(super) fn take() -> Result<ReservedStdout> {
        // Closed in children: if a browser inherited it, the client would wait for the browser to close it.
        let taken = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3).and_then(|real| {
            rustix::stdio::dup2_stdout(io::stderr())?;
            Ok(ReservedStdout(File::from(real)))
        });
        taken.map_err(|error| token_not_written(&error.into()))
    }

    /// Reserves stdout, here only by convention.
    #[cfg(windows)]
    pub(super) fn take() -> Result<ReservedStdout> {
        use std::os::windows::io::AsHandle as _;
        let real = io::stdout().as_handle().try_clone_to_owned();
        real.map(|handle| ReservedStdout(File::from(handle))).map_err(|error| token_not_written(&error))
    }

    /// Writes the line.
    pub(super) fn write(mut self, line: &str) -> Result<()> {
        self.0.write_all(line.as_bytes()).and_then(|()| self.0.flush()).map_err(|error| token_not_written(&error))
    }
}
