//! What a kubeconfig or an issuer gets only once the user has confirmed it: tokens of a session for another audience, and a
//! sign-in page of another site's.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "common/browser.rs"]
mod browser;
mod common;
#[path = "common/page.rs"]
mod page;
#[path = "common/picture.rs"]
mod picture;
#[path = "common/tmux.rs"]
mod tmux;

#[path = "confirmation/audiences.rs"]
mod audiences;
#[path = "confirmation/pages.rs"]
mod pages;
