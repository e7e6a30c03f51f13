//! Telemetry: log lines on standard output, and `metrics`.
//!
//! A log line has a constant message, and its data in fields. It never contains bodies, tokens, links or people's
//! names.

mod line;
pub(crate) mod metrics;
mod output;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, reload};

use crate::config::{Loaded, Log, LogFormat};
use line::{human, json};
pub use metrics::Metrics;
use metrics::labels;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit that this program was built from, as `build.rs` determined it, or `unknown`.
pub const REVISION: &str = match option_env!("MEETRELAY_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Longest logged text of a panic, in characters.
const PANIC_CHARS_MAX: usize = 500;

/// Sends every log line of the process to standard output from now on, and counts them.
///
/// # Errors
/// This process already has a receiver of log lines.
pub fn start(log: &Log, metrics: Arc<Metrics>) -> Result<LogLevelSwitch, SetGlobalDefaultError> {
    let is_human = match log.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => output::is_terminal(),
    };
    let (subscriber, switch) = subscriber(log, is_human, output::Stdout, metrics);
    tracing::subscriber::set_global_default(subscriber)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(switch)
}

/// Logs each warning about an accepted configuration.
pub fn warn_of(loaded: &Loaded) {
    for reason in loaded.warnings() {
        tracing::warn!(reason, "configuration accepted with a warning");
    }
}

/// Logs a panic as a log line, which is counted like any other, instead of text on standard error.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let payload = panic.payload();
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let reason: String = text
        .unwrap_or_default()
        .chars()
        .take(PANIC_CHARS_MAX)
        .collect();
    tracing::error!(
        location,
        reason,
        "panicked: a defect of meetrelay, please report it; work in flight is done again or kept as a dead letter"
    );
}

/// Sets the lowest severity that is logged, while the process runs.
pub struct LogLevelSwitch(Box<dyn Fn(&Log) + Send + Sync>);

impl LogLevelSwitch {
    /// Uses the level of `log` from now on.
    pub fn set(&self, log: &Log) {
        (self.0)(log);
    }
}

impl std::fmt::Debug for LogLevelSwitch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogLevelSwitch")
    }
}

/// The receiver of log lines that [`start`] installs, for this format and output, and the switch of its level.
pub(crate) fn subscriber<W>(
    log: &Log,
    is_human: bool,
    to: W,
    metrics: Arc<Metrics>,
) -> (impl tracing::Subscriber + Send + Sync, LogLevelSwitch)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if is_human { human(to) } else { json(to) };
    let (of_lines, lines_switch) = reload::Layer::new(filter(log));
    let (of_counts, counts_switch) = reload::Layer::new(filter(log));
    let subscriber = Registry::default()
        .with(lines.with_filter(of_lines))
        .with(CountLines(metrics).with_filter(of_counts));
    let switch = move |log: &Log| {
        // `reload` fails only when the subscriber is gone, and then nothing is logged any more.
        drop(lines_switch.reload(filter(log)));
        drop(counts_switch.reload(filter(log)));
    };
    (subscriber, LogLevelSwitch(Box::new(switch)))
}

/// The filter: meetrelay's own lines at the configured level, those of libraries at `warn` or above, or at `debug` when
/// the level is `trace`.
fn filter(log: &Log) -> Targets {
    use tracing_subscriber::filter::LevelFilter;
    let level: LevelFilter = log.level.as_str().parse().unwrap_or(LevelFilter::INFO);
    let of_libraries = if level == LevelFilter::TRACE {
        LevelFilter::DEBUG
    } else {
        level.min(LevelFilter::WARN)
    };
    // lapin logs at `error` what the queue's supervisor also logs, with what to do about it.
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
            tracing::Level::ERROR => labels::LogLevel::Error,
            tracing::Level::WARN => labels::LogLevel::Warn,
            tracing::Level::INFO => labels::LogLevel::Info,
            tracing::Level::DEBUG => labels::LogLevel::Debug,
            tracing::Level::TRACE => labels::LogLevel::Trace,
        };
        self.0.log_messages_total.with(level).inc();
    }
}
