//! Declares the plan in a broker, or checks whether it exists. Every complaint says what is wrong and what to do.
//!
//! Each step that fails closes its channel (src/queue/rabbitmq/README.md, "Channels"), so channels are replaced and
//! never shared.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind};
use tokio::time::timeout;

use super::super::connect::{BrokerError, BrokerSettings, Declare, broker_text};
use super::plan::{self, Argument, Binding, Exchange, ExchangeKind, PlannedQueue, Value};

/// One exchange, queue or binding that differs from the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Kind and name, like `queue meetrelay.events`.
    pub what: String,
    /// What is wrong and what to do about it.
    pub why: String,
}

/// The result of comparing the broker with the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TopologyReport {
    /// Everything that is missing or different.
    pub differences: Vec<Difference>,
    /// The number of exchanges and queues that exist, but whose arguments the account has no right to compare.
    pub not_compared: usize,
}

/// What is done for each entry of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeclareMode {
    /// It is created, or compared if it exists.
    Create,
    /// It is only checked for existence.
    Check,
    /// It is checked for existence, and if it exists, declared again, which compares its arguments.
    Compare,
}

/// Creates or checks everything, as `settings.declare` says.
///
/// # Errors
/// [`BrokerError::Refused`] names what is missing or different.
pub(crate) async fn ensure(
    connection: &Connection,
    settings: &BrokerSettings,
) -> Result<(), BrokerError> {
    let mode = match settings.declare {
        Declare::Create => DeclareMode::Create,
        Declare::Verify => DeclareMode::Check,
    };
    let differences = walk_plan(connection, settings, mode).await?.differences;
    let Some(first) = differences.first() else {
        return Ok(());
    };
    let more = match differences.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more: `meetrelay topology check` names them)"),
    };
    Err(BrokerError::Refused(format!(
        "queue.url {}: {}: {}{more}",
        settings.shown, first.what, first.why
    )))
}

/// Goes through the whole plan. A difference does not stop it.
///
/// # Errors
/// The broker is unavailable.
pub(super) async fn walk_plan(
    connection: &Connection,
    settings: &BrokerSettings,
    mode: DeclareMode,
) -> Result<TopologyReport, BrokerError> {
    let mut walk = PlanWalk {
        connection,
        settings,
        mode,
        channel: None,
        report: TopologyReport::default(),
    };
    for exchange in plan::exchanges() {
        walk.step(&PlanItem::Exchange(&exchange)).await?;
    }
    for queue in plan::queues() {
        walk.step(&PlanItem::Queue(&queue)).await?;
    }
    // A missing exchange or queue has been reported already, so its bindings are not. AMQP also has no call that checks
    // a binding.
    if mode == DeclareMode::Create && walk.report.differences.is_empty() {
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

/// Goes through the plan with a channel that is replaced whenever the broker has closed it.
struct PlanWalk<'a> {
    connection: &'a Connection,
    settings: &'a BrokerSettings,
    mode: DeclareMode,
    channel: Option<Channel>,
    report: TopologyReport,
}

impl PlanWalk<'_> {
    async fn step(&mut self, step: &PlanItem<'_>) -> Result<(), BrokerError> {
        let is_passive = self.mode != DeclareMode::Create;
        if let Err(error) = self.take(step, is_passive).await? {
            return self.report_difference(step, &error);
        }
        if self.mode == DeclareMode::Compare
            && let Err(error) = self.take(step, false).await?
        {
            if is_access_refused(&error) {
                self.report.not_compared += 1;
                return Ok(());
            }
            return self.report_difference(step, &error);
        }
        Ok(())
    }

    /// Sends one declaration. After an error the channel is closed.
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
                .map_err(|error| self.unavailable(&error.to_string()))?,
        };
        let taken = self.in_time(step.take(&channel, is_passive)).await?;
        if taken.is_ok() {
            self.channel = Some(channel);
        }
        Ok(taken)
    }

    fn report_difference(
        &mut self,
        step: &PlanItem<'_>,
        error: &lapin::Error,
    ) -> Result<(), BrokerError> {
        let why = self.complaint(step, error)?;
        self.report.differences.push(Difference {
            what: step.name(),
            why,
        });
        Ok(())
    }

    /// The text of a difference: what is wrong and what to change.
    fn complaint(&self, step: &PlanItem<'_>, error: &lapin::Error) -> Result<String, BrokerError> {
        let ErrorKind::ProtocolError(protocol_error) = error.kind() else {
            return Err(self.unavailable(&error.to_string()));
        };
        let text = broker_text(protocol_error.get_message().as_str());
        // A durable queue whose node is down is reported as "not found" too, and is available again later.
        let is_down = text.contains("is down or inaccessible");
        match protocol_error.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) if !is_down => Ok(
                "is missing: create it with `meetrelay topology apply --url ...` and an account with configure permission, or \
                 import deploy/rabbitmq/definitions.json"
                    .to_owned(),
            ),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Ok(format!(
                "the account may not do this ({text}): give it the permission, or create everything with `meetrelay \
                 topology apply --url ...` and set queue.declare = \"verify\""
            )),
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Ok(unequal(step, &text)),
            AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED) => {
                Ok(format!("another connection holds it exclusively ({text}): close that connection"))
            }
            _ => Err(self.unavailable(&text)),
        }
    }

    async fn in_time<T>(&self, call: impl Future<Output = T>) -> Result<T, BrokerError> {
        timeout(self.settings.call_timeout, call)
            .await
            .map_err(|_| self.unavailable("the broker did not answer a declaration in time"))
    }

    fn unavailable(&self, why: &str) -> BrokerError {
        BrokerError::Unavailable(format!("queue.url {}: {why}", self.settings.shown))
    }

    async fn close(&mut self) {
        if let Some(channel) = self.channel.take() {
            // The answer does not matter: the channel ends with its connection at the latest.
            let _ = timeout(
                self.settings.call_timeout,
                channel.close(200, "done".into()),
            )
            .await;
        }
    }
}

fn is_access_refused(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(protocol_error)
        if *protocol_error.kind() == AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED))
}

/// The text of a difference in an argument. The broker reports for instance: inequivalent arg 'x-message-ttl' for queue
/// 'q' in vhost 'v': received '1' but current is '2'.
fn unequal(step: &PlanItem<'_>, text: &str) -> String {
    let argument = text
        .split_once("inequivalent arg '")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(argument, _)| argument);
    let values = text
        .split_once("received ")
        .map(|(_, values)| format!(" (received {values})"));
    match (argument, step) {
        (Some(argument), PlanItem::Queue(_)) => format!(
            "exists with a different {argument}{}, and arguments cannot be changed: delete the queue when it is \
             empty, then the relay creates it again",
            values.unwrap_or_default()
        ),
        (Some(argument), _) => format!(
            "exists with a different {argument}{}: delete it, then the relay creates it again",
            values.unwrap_or_default()
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
