//! Runs a command beside a real broker that is there for it alone: `broker COMMAND [ARGUMENTS]`.
//!
//! The command finds the broker in MEETRELAY_TEST_BROKER, as `Broker::shared` does, and its address in
//! MEETRELAY_TEST_AMQP. The broker ends with the command, or when this process is killed.

use std::process::{Command, ExitCode};

use world::broker::Broker;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("broker: which command? Usage: broker COMMAND [ARGUMENTS]");
        return ExitCode::from(2);
    };
    let broker = match Broker::start().await {
        Ok(broker) => broker,
        Err(error) => {
            eprintln!("broker: {error}");
            return ExitCode::FAILURE;
        }
    };
    let vhost = broker.new_vhost().await;
    let status = Command::new(&program)
        .args(arguments)
        .env(world::broker::VARIABLE, broker.folder())
        .env("MEETRELAY_TEST_AMQP", broker.url(&vhost))
        .status();
    match status {
        Ok(status) => ExitCode::from(status.code().map_or(1, |code| code as u8)),
        Err(error) => {
            eprintln!("broker: {}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
