//! The relay's program: parses the arguments, runs the command and returns its exit code.

use std::process::ExitCode;

use clap::Parser;
use meetrelay::cli::{self, Arguments};
use meetrelay::config::Environment;

fn main() -> ExitCode {
    let environment = Environment::of_process();
    let arguments = Arguments::parse();
    cli::run(arguments, environment)
}
