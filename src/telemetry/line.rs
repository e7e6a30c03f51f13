//! The format of one log line.

use std::fmt;

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::{Layer, Registry};

use crate::clock::SystemClock;
use crate::ports::Clock;

type LineLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// One JSON object for each line, with the fields of the event and of its spans beside the message.
pub(super) fn json<W>(to: W) -> LineLayer
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(true)
        .with_timer(Rfc3339Millis)
        .with_writer(to)
        .boxed()
}

/// Text for people at a terminal.
pub(super) fn human<W>(to: W) -> LineLayer
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    layer()
        .with_timer(Rfc3339Millis)
        .with_writer(to)
        .with_target(false)
        .boxed()
}

/// Times in RFC 3339, in UTC, with milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rfc3339Millis;

impl FormatTime for Rfc3339Millis {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let now = SystemClock.now().millis();
        let instant = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
        write!(w, "{instant:.3}")
    }
}
