//! What a kubeconfig or an issuer gets only once the user has confirmed it: tokens of a session for another audience, a
//! sign-in page of another site's, and what that site issues.
#![cfg(unix)]

mod audiences;
mod moved;
mod pages;
