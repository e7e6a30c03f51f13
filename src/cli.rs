//! The program's commands, one file each. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

mod admin_client;
mod check;
mod config;
mod dead_letters;
mod healthcheck;
mod meetings;
mod offline;
mod outcome;
mod serve;
mod table;
mod topology;
mod why;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Environment, Sources};
use outcome::{CommandResult, Failure, finish};

/// Turns "meet now" in Mattermost into a plugNmeet meeting and its card.
#[derive(Debug, Parser)]
#[command(name = "meetrelay", version = crate::telemetry::VERSION)]
pub struct Arguments {
    /// Configuration file; else the one that MEETRELAY_CONFIG names, else ./meetrelay.toml if it is there
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay until SIGTERM or SIGINT; a second one ends it at once
    Serve,
    /// Read the configuration and report every error, and what is still missing to serve
    Check,
    /// Show the configuration in force, or the reference of every key
    #[command(subcommand)]
    Config(config::Config),
    /// List, show and end meetings of the running relay
    Meetings(meetings::MeetingsArgs),
    /// List, show, replay and discard what the running relay gave up
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Show the whole history of one meeting, found by any id: of an event, a post, a room, an error's ref, a link
    Why(why::WhyArgs),
    /// Make, check and export what the relay needs in RabbitMQ
    #[command(subcommand)]
    Topology(topology::Topology),
    /// Report whether the relay on this machine is ready; exit code 1 when it is not
    Healthcheck,
}

/// Runs one command to its end.
pub fn run(arguments: Arguments, environment: Environment) -> ExitCode {
    let sources = Sources::of(arguments.config, environment);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return finish(Err(Failure::failed(error))),
    };
    let outcome = runtime.block_on(carry_out(arguments.command, &sources));
    // Every task that still runs was asked to stop and had time to do so.
    runtime.shutdown_background();
    finish(outcome)
}

async fn carry_out(command: Command, sources: &Sources) -> CommandResult {
    match command {
        Command::Serve => Box::pin(serve::serve(sources)).await,
        Command::Check => check::check(sources),
        Command::Config(command) => command.run(sources),
        Command::Meetings(command) => command.run(sources).await,
        Command::DeadLetters(command) => command.run(sources).await,
        Command::Why(command) => command.run(sources).await,
        Command::Topology(command) => command.run(sources).await,
        Command::Healthcheck => healthcheck::healthcheck(sources).await,
    }
}
