//! Load: drives the real relay with triggers and webhooks at a set rate and checks that nothing accepted is missing
//! or doubled.
//!
//! Open loop: every request has a time at which it is due, whatever became of those before, and its latency counts
//! from then, so that a stall shows. The peers are a lean sink in this process, not the strict fakes: it answers
//! what the relay needs as fast as it can, keeps of each meeting only what is counted, and checks no signature.

mod body;
mod drive;
mod ledger;
mod plan;
mod relay;
mod report;
mod sink;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;

use drive::Driver;
use ledger::Ledger;
use plan::Plan;
use relay::Relay;
use report::Report;
use sink::Sink;
use world::reconcile::Discrepancy;
use world::usage::Usage;

/// Drives meetrelay with load and checks that nothing accepted is missing or doubled.
#[derive(Parser, Clone)]
struct Arguments {
    /// Requests a second: triggers and the webhooks of their meetings together.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// For how long triggers come; the webhooks of the last meetings follow.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Keep-alive connections to the relay.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: u32,
    /// The relay's queue: `embedded`, or `amqp://user:password@host:port/vhost` with nothing left in it.
    #[arg(long, default_value = "embedded")]
    queue: String,
    /// The relay's program. Default: `meetrelay` beside this one.
    #[arg(long)]
    relay: Option<PathBuf>,
    /// Where the relay's data and log are kept for the run. Default: the system's folder for temporary files, which
    /// may be memory: name one on the disk to be measured.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// How long rooms may take after the last trigger, and then cards after the last request, in seconds.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Without a relay: what this program costs by itself. A server that does nothing answers.
    #[arg(long)]
    alone: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(report) => {
            if arguments.json {
                println!("{}", report.json());
            } else {
                print!("{}", report.table());
            }
            if report.is_clean() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let plan = Plan::new(arguments.rate, arguments.seconds);
    let ledger = Arc::new(Ledger::new(plan.triggers()));
    let sink = Sink::start(Arc::clone(&ledger), plan.run()).await?;
    let relay = if arguments.alone {
        None
    } else {
        Some(Relay::start(arguments, &sink.url()).await?)
    };
    let door = relay.as_ref().map_or(sink.address(), Relay::address);
    let driver = Driver::new(
        plan.clone(),
        door,
        sink.url(),
        Arc::clone(&ledger),
        arguments.alone,
    );
    sink.tell_rooms_to(driver.rooms());
    let patience = Duration::from_secs(arguments.patience);
    let began = Instant::now();
    let sent = driver.run(arguments.connections, patience).await;
    let took = began.elapsed();

    let last = Instant::now();
    let is_drained = arguments.alone || ledger.settled_within(patience).await;
    let drain = last.elapsed();
    let usage = match &relay {
        Some(relay) => Usage::of(relay.id())?,
        None => Usage::default(),
    };
    let own = Usage::of(std::process::id())?;
    // A double that is still under way comes before the relay has stopped.
    let is_stopped = match relay {
        Some(relay) => relay.stop().await?,
        None => true,
    };
    let discrepancies = if arguments.alone {
        Vec::new()
    } else {
        let wrong = ledger.reconcile();
        wrong.iter().map(Discrepancy::to_string).collect()
    };
    Ok(Report {
        arguments: arguments.clone(),
        sent,
        took,
        drain: is_drained.then_some(drain),
        to_card: ledger.times_to_card(),
        unexpected: sink.unexpected(),
        discrepancies,
        relay: usage,
        own,
        is_stopped,
    })
}
