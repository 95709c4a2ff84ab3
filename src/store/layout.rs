//! What is in the folder, and under which names:
//!
//! ```text
//! kubectl-login.home    where the key of new records lives (decided once)
//! kubectl-login.key     the key, where the keyring is of no use (0600)
//! sessions/<id>         a refresh token and whose it is, sealed
//! tokens/<id>           one token, sealed: all that a warm call opens besides the key
//! groups/<session id>   the groups of whoever signed in, where they had to be looked up, sealed
//! issuers/<id>          discovery documents and signing keys (public)
//! locks/<id>            lock files, unlinked only when the whole folder is to go
//! outcomes/<id>         how the last sign-in ended (no secrets)
//! challenges/<id>       what the issuer wants of a session's next sign-in (no secrets)
//! failures/<id>         what one caller was told in the last 30 seconds (no secrets); usually in the runtime folder
//! ```

/// Where the key of new records lives.
pub const HOME: &str = "kubectl-login.home";
/// The key file: a name that is nobody else's, since `--cache-dir` may name a folder with other things in it.
pub const KEY_FILE: &str = "kubectl-login.key";
/// Sealed sessions.
pub const SESSIONS: &str = "sessions";
/// Sealed tokens.
pub const TOKENS: &str = "tokens";
/// Sealed groups.
pub const GROUPS: &str = "groups";
/// Public documents of issuers.
pub const ISSUERS: &str = "issuers";
/// Lock files: one for each session, [`KEY_LOCK`], and in the usual folder [`KEYRING_LOCK`].
pub const LOCKS: &str = "locks";
/// The lock of whoever makes the key file.
pub const KEY_LOCK: &str = "key";
/// The lock of whoever makes the key in the keyring, for every folder.
pub const KEYRING_LOCK: &str = "keyring";
/// How sign-ins ended; written and read by `session::outcome`.
pub const OUTCOMES: &str = "outcomes";
/// What callers were told a moment ago; written and read by `session::repeats`.
pub const FAILURES: &str = "failures";
/// Claims challenges that no sign-in has answered yet, by session.
pub const CHALLENGES: &str = "challenges";
/// The folders of everything that is kept, in the order in which it is forgotten: tokens come before their session, so that a
/// crash in between leaves one that can be forgotten again, not tokens without one.
pub const FOLDERS: [&str; 7] = [GROUPS, TOKENS, CHALLENGES, SESSIONS, ISSUERS, OUTCOMES, FAILURES];
