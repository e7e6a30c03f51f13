//! Declares the plan in a broker, or looks whether it is there. Every complaint names what and what to do.
//!
//! Each step that fails closes its channel (src/queue/rabbitmq/README.md, "Channels"), so channels are thrown away and
//! never shared.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind};
use tokio::time::timeout;

use super::super::connect::{BrokerError, BrokerSettings, Declare, broker_text};
use super::plan::{self, Argument, Binding, Exchange, ExchangeKind, PlannedQueue, Value};

/// One thing that is not as the relay needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Like `queue meetrelay.events`.
    pub what: String,
    /// What is wrong and what to do about it.
    pub why: String,
}

/// What was found in the broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TopologyReport {
    /// All that is missing or different.
    pub differences: Vec<Difference>,
    /// Things that are there, but whose arguments the account has no right to compare.
    pub not_compared: usize,
}

/// What is done about each thing of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeclareMode {
    /// It is made, or found equal.
    Make,
    /// It is only looked for.
    Look,
    /// It is looked for, and if it is there, declared again, which compares its arguments.
    Compare,
}

/// Sees to it that everything is there, as `settings.declare` says.
///
/// # Errors
/// [`BrokerError::Refused`] names what is missing or different.
pub(crate) async fn ensure(
    connection: &Connection,
    settings: &BrokerSettings,
) -> Result<(), BrokerError> {
    let way = match settings.declare {
        Declare::Create => DeclareMode::Make,
        Declare::Verify => DeclareMode::Look,
    };
    let found = go_through(connection, settings, way).await?.differences;
    let Some(first) = found.first() else {
        return Ok(());
    };
    let more = match found.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more: `meetrelay topology check` names them)"),
    };
    Err(BrokerError::Refused(format!(
        "queue.url {}: {}: {}{more}",
        settings.shown, first.what, first.why
    )))
}

/// Goes through the whole plan; a difference does not stop it.
///
/// # Errors
/// The broker is away.
pub(super) async fn go_through(
    connection: &Connection,
    settings: &BrokerSettings,
    way: DeclareMode,
) -> Result<TopologyReport, BrokerError> {
    let mut walk = Walk {
        connection,
        settings,
        way,
        channel: None,
        report: TopologyReport::default(),
    };
    for exchange in plan::exchanges() {
        walk.step(&PlanItem::Exchange(&exchange)).await?;
    }
    for queue in plan::queues() {
        walk.step(&PlanItem::Queue(&queue)).await?;
    }
    // A binding between what is not there would only be a second complaint about the same; and AMQP has no way to
    // look for bindings.
    if way == DeclareMode::Make && walk.report.differences.is_empty() {
        for binding in plan::bindings() {
            walk.step(&PlanItem::Binding(&binding)).await?;
        }
    }
    walk.close().await;
    Ok(walk.report)
}

enum PlanItem<'a> {
    Exchange(&'a Exchange),
    Queue(&'a PlannedQueue),
    Binding(&'a Binding),
}

impl PlanItem<'_> {
    fn name(&self) -> String {
        match self {
            Self::Exchange(exchange) => format!("exchange {}", exchange.name),
            Self::Queue(queue) => format!("queue {}", queue.name),
            Self::Binding(binding) => {
                format!(
                    "binding of queue {} to exchange {}",
                    binding.queue, binding.exchange
                )
            }
        }
    }

    async fn take(&self, channel: &Channel, is_passive: bool) -> lapin::Result<()> {
        match self {
            Self::Exchange(exchange) => {
                let kind = match exchange.kind {
                    ExchangeKind::Direct => lapin::ExchangeKind::Direct,
                    ExchangeKind::Fanout => lapin::ExchangeKind::Fanout,
                };
                let options = ExchangeDeclareOptions {
                    passive: is_passive,
                    durable: true,
                    internal: exchange.is_internal,
                    ..ExchangeDeclareOptions::default()
                };
                let arguments = table(&exchange.arguments);
                channel
                    .exchange_declare(exchange.name.into(), kind, options, arguments)
                    .await
            }
            Self::Queue(queue) => {
                let options = QueueDeclareOptions {
                    passive: is_passive,
                    durable: true,
                    ..QueueDeclareOptions::default()
                };
                let declared =
                    channel.queue_declare(queue.name.into(), options, table(&queue.arguments));
                declared.await.map(drop)
            }
            Self::Binding(binding) => {
                channel
                    .queue_bind(
                        binding.queue.into(),
                        binding.exchange.into(),
                        binding.key.into(),
                        QueueBindOptions::default(),
                        FieldTable::default(),
                    )
                    .await
            }
        }
    }
}

/// Goes through the plan with a channel that is replaced whenever the broker closed it.
struct Walk<'a> {
    connection: &'a Connection,
    settings: &'a BrokerSettings,
    way: DeclareMode,
    channel: Option<Channel>,
    report: TopologyReport,
}

impl Walk<'_> {
    async fn step(&mut self, step: &PlanItem<'_>) -> Result<(), BrokerError> {
        let is_passive = self.way != DeclareMode::Make;
        if let Err(error) = self.take(step, is_passive).await? {
            return self.note(step, &error);
        }
        if self.way == DeclareMode::Compare
            && let Err(error) = self.take(step, false).await?
        {
            if is_access_refused(&error) {
                self.report.not_compared += 1;
                return Ok(());
            }
            return self.note(step, &error);
        }
        Ok(())
    }

    /// One call to the broker; after an error of it the channel is gone.
    async fn take(
        &mut self,
        step: &PlanItem<'_>,
        is_passive: bool,
    ) -> Result<lapin::Result<()>, BrokerError> {
        let channel = match self.channel.take() {
            Some(channel) => channel,
            None => self
                .in_time(self.connection.create_channel())
                .await?
                .map_err(|error| self.away(&error.to_string()))?,
        };
        let taken = self.in_time(step.take(&channel, is_passive)).await?;
        if taken.is_ok() {
            self.channel = Some(channel);
        }
        Ok(taken)
    }

    fn note(&mut self, step: &PlanItem<'_>, error: &lapin::Error) -> Result<(), BrokerError> {
        let why = self.complaint(step, error)?;
        self.report.differences.push(Difference {
            what: step.name(),
            why,
        });
        Ok(())
    }

    /// What a person can do about it.
    fn complaint(&self, step: &PlanItem<'_>, error: &lapin::Error) -> Result<String, BrokerError> {
        let ErrorKind::ProtocolError(said) = error.kind() else {
            return Err(self.away(&error.to_string()));
        };
        let text = broker_text(said.get_message().as_str());
        // A durable queue whose node is down is "not found" too, and will be found again.
        let is_down = text.contains("is down or inaccessible");
        match said.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) if !is_down => Ok(
                "is missing: make it with `meetrelay topology apply --url ...` and an account that may, or \
                 import deploy/rabbitmq/definitions.json"
                    .to_owned(),
            ),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Ok(format!(
                "the account may not do this ({text}): give it the right, or make everything with `meetrelay \
                 topology apply --url ...` and set queue.declare = \"verify\""
            )),
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Ok(unequal(step, &text)),
            AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED) => {
                Ok(format!("another connection holds it alone ({text}): end that"))
            }
            _ => Err(self.away(&text)),
        }
    }

    async fn in_time<T>(&self, call: impl Future<Output = T>) -> Result<T, BrokerError> {
        timeout(self.settings.call_timeout, call)
            .await
            .map_err(|_| self.away("no answer in time to a declaration"))
    }

    fn away(&self, why: &str) -> BrokerError {
        BrokerError::Unavailable(format!("queue.url {}: {why}", self.settings.shown))
    }

    async fn close(&mut self) {
        if let Some(channel) = self.channel.take() {
            // Whether it is answered does not matter: the channel ends with its connection at the latest.
            let _ = timeout(
                self.settings.call_timeout,
                channel.close(200, "done".into()),
            )
            .await;
        }
    }
}

fn is_access_refused(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said)
        if *said.kind() == AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED))
}

/// The broker says for instance: inequivalent arg 'x-message-ttl' for queue 'q' in vhost 'v': received '1' but
/// current is '2'.
fn unequal(step: &PlanItem<'_>, text: &str) -> String {
    let argument = text
        .split_once("inequivalent arg '")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(argument, _)| argument);
    let there = text
        .split_once("received ")
        .map(|(_, values)| format!(" (received {values})"));
    match (argument, step) {
        (Some(argument), PlanItem::Queue(_)) => format!(
            "is there with another {argument}{}, and arguments cannot be changed: delete the queue when it is \
             empty, the relay makes it anew",
            there.unwrap_or_default()
        ),
        (Some(argument), _) => format!(
            "is there with another {argument}{}: delete it, the relay makes it anew",
            there.unwrap_or_default()
        ),
        (None, _) => format!("the broker refuses it ({text}): RabbitMQ 3.10 or newer is needed"),
    }
}

fn table(arguments: &[Argument]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let value = match value {
            Value::Text(text) => AMQPValue::LongString((*text).into()),
            Value::Number(number) => AMQPValue::LongLongInt(*number),
        };
        table.insert((*name).into(), value);
    }
    table
}
