//! A connection to a message bus: what is sent and received before a deadline, and never more than a look-up needs.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with};
use zeroize::Zeroizing;

use super::LookupError;
use super::address::BusAddress;
use super::message::{self, Message};

/// The most that is read from a bus. All that a look-up needs has less than 4 KiB.
const CAP: usize = 64 * 1024;
const USUAL: usize = 4 * 1024;

/// A connection whose memory is wiped, because a secret passes through it.
pub(super) struct BusConnection {
    socket: OwnedFd,
    /// The id that the bus must have.
    guid: Option<String>,
    deadline: Instant,
    /// All that was received; no part of it is ever moved without being wiped.
    received: Zeroizing<Vec<u8>>,
    /// How much of that has been used.
    used: usize,
}

impl BusConnection {
    /// Connects to the first of `addresses` where a bus listens.
    ///
    /// Errors: none of them, with the reason of the last one.
    pub(super) fn open(addresses: &[BusAddress], deadline: Instant) -> Result<BusConnection, LookupError> {
        let mut failure = LookupError::NoAddress;
        for address in addresses {
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            // A bus whose queue of new connections is full blocks connect(2), for as long as sending may take.
            match before(deadline, socket.as_fd(), Timeout::Send, || connect(&socket, &address.socket)) {
                Ok(()) => return Ok(BusConnection::over(socket, address.guid.clone(), deadline)),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// A connection over a connected socket.
    pub(super) fn over(socket: OwnedFd, guid: Option<String>, deadline: Instant) -> BusConnection {
        BusConnection { socket, guid, deadline, received: Zeroizing::new(Vec::with_capacity(USUAL)), used: 0 }
    }

    /// Sends all of `bytes`.
    pub(super) fn send(&self, mut bytes: &[u8]) -> Result<(), LookupError> {
        while !bytes.is_empty() {
            let socket = self.socket.as_fd();
            let sent = before(self.deadline, socket, Timeout::Send, || send(socket, bytes, SendFlags::NOSIGNAL))?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Reads the line that ends the authentication (D-Bus Specification, "Authentication Protocol").
    ///
    /// Errors: the bus does not accept this user, or has another id than its address says.
    pub(super) fn expect_ok(&mut self) -> Result<(), LookupError> {
        let length = loop {
            if let Some(length) = self.unused().windows(2).position(|two| two == b"\r\n") {
                break length;
            }
            self.receive()?;
        };
        let line = std::str::from_utf8(&self.unused()[..length]).map_err(|_| LookupError::Malformed)?;
        let guid = line.strip_prefix("OK ").ok_or(LookupError::NotAuthenticated)?;
        if self.guid.as_ref().is_some_and(|expected| !expected.eq_ignore_ascii_case(guid.trim())) {
            return Err(LookupError::OtherBus);
        }
        self.used += length + 2;
        Ok(())
    }

    /// Reads the next message.
    pub(super) fn message(&mut self) -> Result<Message<'_>, LookupError> {
        let length = loop {
            match message::length(self.unused())? {
                Some(length) if length > CAP => return Err(LookupError::TooLong),
                Some(length) if length <= self.unused().len() => break length,
                _ => self.receive()?,
            }
        };
        let start = self.used;
        self.used += length;
        Message::parse(&self.received[start..self.used])
    }

    fn unused(&self) -> &[u8] {
        &self.received[self.used..]
    }

    /// Waits for more bytes.
    fn receive(&mut self) -> Result<(), LookupError> {
        let length = self.received.len();
        if length == self.received.capacity() {
            if length >= CAP {
                return Err(LookupError::TooLong);
            }
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * length));
            larger.extend_from_slice(&self.received);
            self.received = larger;
        }
        let (socket, received) = (self.socket.as_fd(), &mut *self.received);
        let flags = RecvFlags::empty();
        before(self.deadline, socket, Timeout::Recv, || recv(socket, spare_capacity(received), flags))?;
        if self.received.len() == length { Err(LookupError::Closed) } else { Ok(()) }
    }
}

/// Calls `operation` on a socket that blocks until `deadline` at most; again if a signal interrupts it.
fn before<T>(
    deadline: Instant,
    socket: BorrowedFd<'_>,
    timeout: Timeout,
    mut operation: impl FnMut() -> rustix::io::Result<T>,
) -> Result<T, LookupError> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(LookupError::TimedOut);
        }
        set_socket_timeout(socket, timeout, Some(left))?;
        match operation() {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(LookupError::TimedOut),
            outcome => return Ok(outcome?),
        }
    }
}
