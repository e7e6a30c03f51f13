//! What the relay tells of itself: log lines on standard output, and [`metrics`].
//!
//! A log line has a constant message and its data in fields, under the names of [`field`]. Bodies, tokens, links
//! and people's names never stand in one.

pub mod field;
mod line;
pub mod metrics;
mod output;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::{Log, LogFormat};
use line::{human, json};
pub use metrics::Metrics;
use metrics::labels;

/// The version that runs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The revision that it was built from: the variable `MEETRELAY_REVISION` of the build, if it was set.
pub const REVISION: &str = match option_env!("MEETRELAY_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Sends every log line of the process to standard output from now on, and counts them.
///
/// # Errors
/// Something else receives the lines of this process already.
pub fn start(log: &Log, metrics: Arc<Metrics>) -> Result<(), SetGlobalDefaultError> {
    let is_human = match log.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => output::is_terminal(),
    };
    tracing::subscriber::set_global_default(subscriber(log, is_human, output::Stdout, metrics))
}

/// The receiver of log lines that [`start`] installs, with its parts chosen.
pub(crate) fn subscriber<W>(
    log: &Log,
    is_human: bool,
    to: W,
    metrics: Arc<Metrics>,
) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if is_human { human(to) } else { json(to) };
    Registry::default()
        .with(lines.with_filter(filter(log)))
        .with(CountLines(metrics).with_filter(filter(log)))
}

/// Ours at the configured level; libraries at `warn` unless everything is wanted.
fn filter(log: &Log) -> Targets {
    use tracing_subscriber::filter::LevelFilter;
    let level: LevelFilter = log.level.as_str().parse().unwrap_or(LevelFilter::INFO);
    let of_libraries = if level == LevelFilter::TRACE {
        LevelFilter::DEBUG
    } else {
        level.min(LevelFilter::WARN)
    };
    // lapin tells at `error` what the queue's supervisor tells with what to do about it.
    let of_lapin = if level >= LevelFilter::DEBUG {
        of_libraries
    } else {
        LevelFilter::OFF
    };
    Targets::new()
        .with_target("meetrelay", level)
        .with_target("lapin", of_lapin)
        .with_default(of_libraries)
}

/// Counts log lines by severity.
struct CountLines(Arc<Metrics>);

impl<S: tracing::Subscriber> Layer<S> for CountLines {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => labels::Level::Error,
            tracing::Level::WARN => labels::Level::Warn,
            tracing::Level::INFO => labels::Level::Info,
            tracing::Level::DEBUG => labels::Level::Debug,
            tracing::Level::TRACE => labels::Level::Trace,
        };
        self.0.log_messages_total.with(level).inc();
    }
}
