//! What a kubeconfig or an issuer gets only once the user has confirmed it: tokens of a session for another audience, a
//! sign-in page of another site's, and what that site issues.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "common/browser.rs"]
mod browser;
mod common;
#[path = "common/page.rs"]
mod page;
#[path = "common/picture.rs"]
mod picture;
#[path = "common/scripted.rs"]
mod scripted;
#[path = "common/tmux.rs"]
mod tmux;

#[path = "confirmation/audiences.rs"]
mod audiences;
#[path = "confirmation/moved.rs"]
mod moved;
#[path = "confirmation/pages.rs"]
mod pages;
