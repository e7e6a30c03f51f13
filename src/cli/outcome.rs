//! The result of a command: a text on standard output, or a failure on standard error and an exit code.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::config::Problems;

/// The text to print, or why the command failed.
pub(super) type CommandResult = Result<String, Failure>;

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    text: String,
    code: u8,
    /// The text for standard output: what was done before the failure.
    before: String,
}

impl Failure {
    /// Exit code 1.
    pub(super) fn failed(why: impl Display) -> Self {
        Self {
            text: format!("meetrelay: {why}"),
            code: 1,
            before: String::new(),
        }
    }

    /// Exit code 2: something must be changed in the command or the configuration first.
    pub(super) fn usage(why: impl Display) -> Self {
        Self {
            text: format!("meetrelay: {why}"),
            code: 2,
            before: String::new(),
        }
    }

    /// Exit code 1 with exactly this text, without the program's name before it.
    pub(super) fn plain(text: String) -> Self {
        Self {
            text,
            code: 1,
            before: String::new(),
        }
    }

    /// The text without the program's name.
    pub(super) fn into_text(self) -> String {
        match self.text.strip_prefix("meetrelay: ") {
            Some(text) => text.to_owned(),
            None => self.text,
        }
    }

    /// The same failure, with a text for standard output about what was done before.
    pub(super) fn after(mut self, before: String) -> Self {
        self.before = before;
        self
    }

    #[cfg(test)]
    pub(super) fn before(&self) -> &str {
        &self.before
    }

    #[cfg(test)]
    pub(super) const fn code(&self) -> u8 {
        self.code
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl From<Problems> for Failure {
    /// Exit code 2.
    fn from(problems: Problems) -> Self {
        let count = problems.0.len();
        let noun = if count == 1 { "error" } else { "errors" };
        Self {
            text: format!("meetrelay: the configuration has {count} {noun}:\n{problems}"),
            code: 2,
            before: String::new(),
        }
    }
}

/// Prints the result and returns the exit code. If the reader of the output has gone, that is not a failure.
pub(super) fn finish(outcome: CommandResult) -> ExitCode {
    match outcome {
        Ok(text) => {
            let _ = print(&mut io::stdout().lock(), &text);
            ExitCode::SUCCESS
        }
        Err(Failure { text, code, before }) => {
            let _ = print(&mut io::stdout().lock(), &before);
            let _ = print(&mut io::stderr().lock(), &text);
            ExitCode::from(code)
        }
    }
}

fn print(to: &mut impl Write, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    to.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        to.write_all(b"\n")?;
    }
    to.flush()
}
