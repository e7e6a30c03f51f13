//! Labels of metrics that no part has an enum for.

use crate::domain::label::labels;

labels! {
    /// The first digit of an HTTP status.
    pub enum StatusClass {
        /// Done.
        Success = "2xx",
        /// Redirected.
        Redirect = "3xx",
        /// The sender's fault.
        Refused = "4xx",
        /// Ours.
        Failed = "5xx",
    }

    /// What a person did to start or end a meeting.
    pub enum TriggerKind {
        /// A phrase in a post.
        OutgoingWebhook = "outgoing_webhook",
        /// A command.
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

    /// What became of an event.
    pub enum SettledAs {
        /// Applied to its meeting.
        Delivered = "delivered",
        /// It had come before.
        Duplicate = "duplicate",
        /// It had come before with another content; the first one counts.
        Conflict = "conflict",
        /// It belongs to no meeting of the relay.
        Foreign = "foreign",
        /// Given up and kept for a person.
        DeadLettered = "dead_lettered",
    }

    /// What changed in a meeting, as far as its card is concerned.
    pub enum CardChange {
        /// The room opened, somebody came or went, a recording began or stopped.
        Running = "running",
        /// It ended.
        Ended = "ended",
        /// A recording or summary came.
        Artifact = "artifact",
    }

    /// Where messages lie.
    pub enum Holding {
        /// The queue of events.
        Events = "events",
        /// Jobs that call plugNmeet.
        Conference = "conference",
        /// First cards and answers.
        Chat = "chat",
        /// Refreshes, artifacts and retries.
        ChatLater = "chat.later",
        /// Messages of whatever queue that wait for their time in RabbitMQ's delay queues.
        Delay = "delay",
    }

    /// Why a late answer to a slash command never came.
    pub enum LostAnswer {
        /// Mattermost did not take it: its response URL has run out, or was never one.
        Refused = "refused",
        /// The command's response URL is not of the form of Mattermost's.
        ForeignResponseUrl = "foreign_response_url",
    }

    /// A named condition of readiness.
    pub enum Check {
        /// An event can be made durable: by the queue, or by the spool while RabbitMQ is away.
        Queue = "queue",
        /// RabbitMQ takes and confirms messages; holds always with the embedded queue.
        AmqpPublisher = "amqp_publisher",
        /// RabbitMQ hands out messages; holds always with the embedded queue.
        AmqpConsumer = "amqp_consumer",
        /// The spool has room; holds not when it is switched off, and always with the embedded queue.
        Spool = "spool",
        /// The store answers.
        Store = "store",
        /// Mattermost answers.
        Mattermost = "mattermost",
        /// plugNmeet answers.
        PlugNmeet = "plugnmeet",
        /// No stop was asked for.
        NotDraining = "not_draining",
    }

    /// The severity of a log line.
    pub enum LogLevel {
        /// A person must look.
        Error = "error",
        /// Went wrong and was survived.
        Warn = "warn",
        /// One line at accept and at settle.
        Info = "info",
        /// Each step.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}
