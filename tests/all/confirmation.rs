//! What needs the user's confirmation: tokens of a session for another audience, a sign-in page at another site, and
//! tokens from that site.
#![cfg(unix)]

mod audiences;
mod moved;
mod pages;
