//! Runs a command beside a real broker and a real PostgreSQL that are there for it alone:
//! `services COMMAND [ARGUMENTS]`.
//!
//! The command finds them in MEETRELAY_TEST_BROKER and MEETRELAY_TEST_POSTGRES, as `Broker::shared` and
//! `Postgres::shared` do, and an address of each in MEETRELAY_TEST_AMQP and MEETRELAY_TEST_PG. They end with the
//! command, or when this process is killed.

use std::process::{Command, ExitCode};

use world::broker::Broker;
use world::postgres::Postgres;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("services: which command? Usage: services COMMAND [ARGUMENTS]");
        return ExitCode::from(2);
    };
    let (broker, postgres) = match tokio::try_join!(Broker::start(), Postgres::start_unsynced()) {
        Ok(started) => started,
        Err(error) => {
            eprintln!("services: {error}");
            return ExitCode::FAILURE;
        }
    };
    let vhost = broker.new_vhost().await;
    let database = postgres.new_database().await;
    let status = Command::new(&program)
        .args(arguments)
        .env(world::broker::VARIABLE, broker.folder())
        .env("MEETRELAY_TEST_AMQP", broker.url(&vhost))
        .env(world::postgres::VARIABLE, postgres.folder())
        .env("MEETRELAY_TEST_PG", postgres.url(&database))
        .status();
    match status {
        Ok(status) => ExitCode::from(status.code().map_or(1, |code| code as u8)),
        Err(error) => {
            eprintln!("services: {}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
