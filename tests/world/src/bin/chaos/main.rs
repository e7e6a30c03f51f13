//! Chaos: mixed traffic while the relays, their broker, their database and both peers get into trouble, and then the
//! exact comparison of what was accepted with what is there.
//!
//! The peers are the strict fakes, the servers real ones. Traffic and troubles are drawn from a printed seed, which
//! gives the same plan again; how they meet is up to the machine.
//!
//! Reading order: `plan` (what happens when), `stage` (who takes part), `people` and `trouble` (what they do),
//! `ledger` (what must agree), `look` and `report`.

mod door;
mod ledger;
mod look;
mod people;
mod plan;
mod relay;
mod report;
mod stage;
mod trouble;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use tokio::task::JoinSet;

use ledger::{Counts, Discrepancy, Ledger, Verdict};
use plan::{Parts, Plan};
use stage::Stage;
use world::reconcile::settle as settled;

/// How long everything may take to settle after the last trouble.
const SETTLE_MAX: Duration = Duration::from_secs(150);
/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Drives meetrelay while everything around it fails, and checks that nothing accepted is lost or doubled.
#[derive(Parser, Clone, Debug)]
struct Arguments {
    /// For how long people come and troubles happen; settling follows.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// Starts a second; each has its webhooks, and some are asked for twice.
    #[arg(long, default_value_t = 2.0)]
    rate: f64,
    /// The number from which everything is drawn. Default: the clock's.
    #[arg(long)]
    seed: Option<u64>,
    /// The relay's queue.
    #[arg(long, value_enum, default_value = "embedded")]
    queue: QueueKind,
    /// The relay's store.
    #[arg(long, value_enum, default_value = "sqlite")]
    store: StoreKind,
    /// How many relays share the work; more than one needs RabbitMQ and PostgreSQL.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    replicas: u8,
    /// The relay's program. Default: `meetrelay` beside this one.
    #[arg(long)]
    relay: Option<PathBuf>,
    /// Where data and logs of the run are kept. Default: the system's folder for temporary files.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Without troubles: the traffic alone.
    #[arg(long)]
    calm: bool,
    /// Keep data and logs of a run that found nothing.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum QueueKind {
    Embedded,
    Rabbitmq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StoreKind {
    Sqlite,
    Postgres,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_shared =
        arguments.queue == QueueKind::Rabbitmq && arguments.store == StoreKind::Postgres;
    if arguments.replicas > 1 && !is_shared {
        eprintln!("chaos: more than one relay needs --queue rabbitmq --store postgres");
        return ExitCode::from(2);
    }
    if !(0.01..=1_440.0).contains(&arguments.minutes) || !(0.01..=1_000.0).contains(&arguments.rate)
    {
        eprintln!("chaos: --minutes is 0.01 to 1440, --rate 0.01 to 1000");
        return ExitCode::from(2);
    }
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let seed = arguments
        .seed
        .unwrap_or_else(|| jiff::Timestamp::now().as_millisecond() as u64);
    let length = Duration::from_secs_f64(arguments.minutes * 60.0);
    let parts = Parts {
        replicas: usize::from(arguments.replicas),
        has_broker: arguments.queue == QueueKind::Rabbitmq,
        has_postgres: arguments.store == StoreKind::Postgres,
    };
    let mut plan = Plan::draw(seed, length, arguments.rate, parts);
    if arguments.calm {
        plan.troubles.clear();
    }
    println!(
        "seed {seed}: {} meetings and {} troubles in {:.0} s; {:?} and {:?}, {} relay(s)",
        plan.lives.len(),
        plan.troubles.len(),
        length.as_secs_f64(),
        arguments.queue,
        arguments.store,
        arguments.replicas
    );
    let stage = Arc::new(Stage::set(arguments).await?);
    let ledger = Arc::new(Ledger::default());
    let troubles = play(&stage, &ledger, &plan).await;
    for relay in &stage.relays {
        let mut relay = relay.lock().await;
        relay.look();
        relay.await_ready().await;
    }
    let (counts, mut wrong, took) = settle(&stage, &ledger, plan.lives.len() as u32).await;
    let processes = report::processes(&stage).await;
    wrong.extend(processes.wrong.iter().cloned());
    wrong.extend(report::secrets(&stage));
    let unexpected = [
        stage.chat.unexpected().all(),
        stage.conference.unexpected().all(),
        stage.failures(),
    ];
    wrong.extend(unexpected.concat().into_iter().map(|what| Discrepancy {
        id: "-".to_owned(),
        what,
    }));
    print!("{}", report::table(&counts, &troubles, &processes));
    println!("settled in {:.1} s", took.as_secs_f64());
    print!("{}", report::discrepancies(&stage.folder, &wrong));
    if wrong.is_empty() && !arguments.keep {
        std::fs::remove_dir_all(&stage.folder)?;
    } else {
        println!("data and logs: {}", stage.folder.display());
    }
    match wrong.len() {
        0 => println!("nothing lost, nothing doubled"),
        count => println!("{count} DISCREPANCIES; again: --seed {seed}"),
    }
    Ok(wrong.is_empty())
}

/// Plays the plan; gives how often each trouble happened.
async fn play(stage: &Arc<Stage>, ledger: &Arc<Ledger>, plan: &Plan) -> BTreeMap<String, u32> {
    let began = tokio::time::Instant::now();
    let (mut people, mut troubles) = (JoinSet::new(), JoinSet::new());
    let mut happened: BTreeMap<String, u32> = BTreeMap::new();
    for life in plan.lives.iter().cloned() {
        let (stage, ledger) = (Arc::clone(stage), Arc::clone(ledger));
        people.spawn(async move {
            tokio::time::sleep_until(began + life.due).await;
            people::live(stage, ledger, life).await;
        });
    }
    for planned in plan.troubles.iter().cloned() {
        *happened.entry(planned.trouble.name()).or_default() += 1;
        let stage = Arc::clone(stage);
        troubles.spawn(async move {
            tokio::time::sleep_until(began + planned.at).await;
            trouble::make(stage, planned).await;
        });
    }
    let watch = async {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            for relay in &stage.relays {
                // Whoever makes trouble for it holds it.
                if let Ok(mut relay) = relay.try_lock() {
                    relay.look();
                }
            }
        }
    };
    let all = async { tokio::join!(joined("trouble", troubles), joined("people", people)) };
    tokio::select! {
        (troubles, people) = all => {
            for failure in [troubles, people].concat() {
                stage.note_failure("the run itself", Err(anyhow::anyhow!(failure)));
            }
        }
        () = watch => {}
    }
    happened
}

/// Waits for all; gives what panicked.
async fn joined(what: &str, mut tasks: JoinSet<()>) -> Vec<String> {
    let mut failed = Vec::new();
    while let Some(done) = tasks.join_next().await {
        if let Err(error) = done {
            failed.push(format!("{what}: {error}"));
        }
    }
    failed
}

/// Waits until everything agrees; gives what does not in the end, and how long it took.
async fn settle(
    stage: &Stage,
    ledger: &Ledger,
    number: u32,
) -> (Counts, Vec<Discrepancy>, Duration) {
    let began = Instant::now();
    let notes = ledger.notes();
    let look = async || {
        // A start that was lost at its source is found late.
        people::end_all(stage);
        let mut wrong = look::unrest(stage).await;
        let counts = match look::look(stage, number, &notes).await {
            Ok(seen) => {
                let verdict = Verdict::of(&notes, &seen);
                wrong.extend(verdict.wrong.into_discrepancies());
                verdict.counts
            }
            Err(error) => {
                let what = format!("the relay cannot be asked: {error:#}");
                wrong.push(Discrepancy {
                    id: "-".to_owned(),
                    what,
                });
                Counts::default()
            }
        };
        (counts, wrong)
    };
    let is_settled = |(_, wrong): &(Counts, Vec<Discrepancy>)| wrong.is_empty();
    let (counts, wrong) = settled(SETTLE_MAX, LOOK_EVERY, look, is_settled).await;
    (counts, wrong, began.elapsed())
}
