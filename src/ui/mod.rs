//! The terminal, prompts and the browser: the only place that talks to a person.

mod browser;
mod terminal;

pub(crate) use terminal::{Prompt, Terminal};
