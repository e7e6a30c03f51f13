//! Labels of metrics for which no part of the relay has an enum.

use crate::domain::label::labels;

labels! {
    /// The first digit of an HTTP status.
    pub enum StatusClass {
        /// The request succeeded.
        Success = "2xx",
        /// The client was redirected.
        Redirect = "3xx",
        /// The client made an error.
        Refused = "4xx",
        /// The relay failed, or could not accept the request now.
        Failed = "5xx",
    }

    /// What a person did to start or end a meeting.
    pub enum TriggerKind {
        /// A phrase in a post.
        OutgoingWebhook = "outgoing_webhook",
        /// A slash command.
        SlashCommand = "slash_command",
    }

    /// Where events come from.
    pub enum EventSource {
        /// People.
        Mattermost = "mattermost",
        /// plugNmeet's webhooks.
        PlugNmeet = "plugnmeet",
        /// The relay's own jobs, polls and sweeps.
        Relay = "relay",
    }

    /// How an event was settled.
    pub enum SettledAs {
        /// Applied to its meeting.
        Delivered = "delivered",
        /// It was received before.
        Duplicate = "duplicate",
        /// It was received before with another content; the first one counts.
        Conflict = "conflict",
        /// It belongs to no meeting of the relay.
        Foreign = "foreign",
        /// Given up and kept for a person.
        DeadLettered = "dead_lettered",
    }

    /// What changed on a meeting's card.
    pub enum CardChange {
        /// The room opened, somebody joined or left, or a recording started or stopped.
        Running = "running",
        /// The meeting ended.
        Ended = "ended",
        /// A recording or summary became available.
        Artifact = "artifact",
    }

    /// Where messages wait.
    pub enum Holding {
        /// The queue of events.
        Events = "events",
        /// Jobs that call plugNmeet.
        Conference = "conference",
        /// First cards and answers.
        Chat = "chat",
        /// Refreshes, artifacts and retries.
        ChatLater = "chat.later",
        /// Messages of any queue that wait for their time in RabbitMQ's delay queues.
        Delay = "delay",
    }

    /// Why a late answer to a slash command was not delivered.
    pub enum LostAnswer {
        /// Mattermost did not accept it: its response URL has expired, or was never valid.
        Refused = "refused",
        /// The command's response URL does not have the format of Mattermost's.
        ForeignResponseUrl = "foreign_response_url",
    }

    /// A named condition of readiness.
    pub enum Check {
        /// An event can be made durable: by the queue, or by the spool while RabbitMQ is unavailable.
        Queue = "queue",
        /// RabbitMQ accepts and confirms messages. With the embedded queue: that queue answers and has room.
        AmqpPublisher = "amqp_publisher",
        /// RabbitMQ delivers messages. With the embedded queue: that queue answers and has room.
        AmqpConsumer = "amqp_consumer",
        /// The spool has room. It never holds when the spool is switched off, and always with the embedded queue.
        Spool = "spool",
        /// The store answers.
        Store = "store",
        /// Mattermost answers.
        Mattermost = "mattermost",
        /// plugNmeet answers.
        PlugNmeet = "plugnmeet",
        /// No stop was requested.
        NotDraining = "not_draining",
    }

    /// The severity of a log line.
    pub enum LogLevel {
        /// Something failed, and a person must act.
        Error = "error",
        /// Something failed, and the relay continues.
        Warn = "warn",
        /// One line when an event is accepted and one when it is settled.
        Info = "info",
        /// Each step.
        Debug = "debug",
        /// Everything, with the details of libraries.
        Trace = "trace",
    }
}
