//! The output of a command, and assertions about it.

use std::process::{Child, Command, Output};

use serde_json::Value;

/// The output and exit code of a command.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(command: &mut Command) -> Run {
        command.output().unwrap().into()
    }

    pub fn wait(child: Child) -> Run {
        child.wait_with_output().unwrap().into()
    }

    /// The ExecCredential; stdout must be that one line and nothing else.
    #[track_caller]
    pub fn credential(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self}");
        self.object()
    }

    /// The JSON object on stdout, which must be one line and nothing else.
    #[track_caller]
    pub fn object(&self) -> Value {
        assert!(self.stdout.ends_with('\n') && self.stdout.matches('\n').count() == 1, "not one line: {self}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The token in the ExecCredential.
    #[track_caller]
    pub fn token(&self) -> String {
        self.credential()["status"]["token"].as_str().unwrap().to_owned()
    }

    /// Asserts a failure with this exit code, an empty stdout, and each of `words` on stderr.
    #[track_caller]
    pub fn assert_failed(&self, code: i32, words: &[&str]) -> &Run {
        assert_eq!(self.code, Some(code), "{self}");
        assert_eq!(self.stdout, "", "{self}");
        self.assert_stderr(words)
    }

    /// Asserts success and an empty stderr.
    #[track_caller]
    pub fn assert_silent_success(&self) -> &Run {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self}");
        self
    }

    /// Asserts success, an empty stderr, and this stdout.
    #[track_caller]
    pub fn assert_stdout(&self, stdout: &str) {
        assert_eq!(self.assert_silent_success().stdout, stdout, "{self}");
    }

    /// Asserts that stderr contains each of `words`.
    #[track_caller]
    pub fn assert_stderr(&self, words: &[&str]) -> &Run {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing: {self}");
        }
        self
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}
