//! The names of the files and folders in the state folder:
//!
//! ```text
//! kubectl-login.home    the backend that stores the key of new records (chosen once)
//! kubectl-login.key     the key, if the keyring cannot be used (0600)
//! sessions/<id>         a refresh token and whose it is, sealed
//! tokens/<id>           one token, sealed: all that a warm call opens besides the key
//! groups/<session id>   the user's groups, if they had to be looked up, sealed
//! issuers/<id>          discovery documents and signing keys (public)
//! locks/<id>            lock files, deleted only together with the whole folder
//! outcomes/<id>         how attempts ended, and the claims that the next sign-in has to bring (no secrets)
//! failures/<id>         what one caller was told in the last 30 seconds (no secrets); usually in the runtime folder
//! ```

/// Records which backend stores the key of new records.
pub const KEY_BACKEND_FILE: &str = "kubectl-login.home";
/// The key file. Its name is specific to this program, since `--cache-dir` may name a folder with other things in it.
pub const KEY_FILE: &str = "kubectl-login.key";
/// Sealed sessions.
pub const SESSIONS: &str = "sessions";
/// Sealed tokens.
pub const TOKENS: &str = "tokens";
/// Sealed groups.
pub const GROUPS: &str = "groups";
/// Cached documents of issuers.
pub const ISSUERS: &str = "issuers";
/// Lock files: one for each session, [`KEY_LOCK`], and in the usual folder [`KEYRING_LOCK`].
pub const LOCKS: &str = "locks";
/// The lock for creating the key file.
pub const KEY_LOCK: &str = "key";
/// The lock for creating the key in the keyring, for every folder.
pub const KEYRING_LOCK: &str = "keyring";
/// How attempts ended; written and read by `session::history`.
pub const OUTCOMES: &str = "outcomes";
/// What callers were told in the last 30 seconds; written and read by `session::repeats`.
pub const FAILURES: &str = "failures";
/// Claims challenges, as earlier versions stored them: only deleted.
pub const CHALLENGES: &str = "challenges";
/// The folders of all files, in the order in which they are deleted: tokens come before their session, so that a crash in
/// between leaves a session that can be deleted again, not tokens without one.
pub const FOLDERS: [&str; 7] = [GROUPS, TOKENS, CHALLENGES, SESSIONS, ISSUERS, OUTCOMES, FAILURES];
