//! Every label of every metric. Never an id, a person, a channel, a URL or an error's text.

use crate::domain::Peer;
use crate::domain::retry::RetryReason;
use crate::ports::QueueName;

label_of! {
    QueueName: "queue", QueueName::ALL;
    RetryReason: "reason", RetryReason::ALL;
    Peer: "target", [Peer::Mattermost, Peer::PlugNmeet];
}

labels! {
    /// A route of the public listener with its method.
    Endpoint("route", "method") {
        /// Outgoing webhooks.
        Outgoing => ("/mattermost/outgoing", "POST"),
        /// Slash commands, all three routes.
        CommandPost => ("/mattermost/command", "POST"),
        /// Slash commands that are set up for GET.
        CommandGet => ("/mattermost/command", "GET"),
        /// plugNmeet's webhooks.
        PlugNmeet => ("/plugnmeet/webhook", "POST"),
        /// The join page.
        JoinGet => ("/join/{token}", "GET"),
        /// Joining.
        JoinPost => ("/join/{token}", "POST"),
        /// Artifact pages and downloads.
        Artifact => ("/artifact/{token}", "GET"),
        /// Everything else, such as unknown paths and wrong methods.
        Other => ("other", "other"),
    }
    /// The first digit of an HTTP status.
    StatusClass("code") {
        /// Done.
        Success => ("2xx"),
        /// Redirected.
        Redirect => ("3xx"),
        /// The sender's fault.
        Refused => ("4xx"),
        /// Ours.
        Failed => ("5xx"),
    }
    /// A route of the public listener, whatever its method.
    Route("route") {
        /// Outgoing webhooks.
        Outgoing => ("/mattermost/outgoing"),
        /// Slash commands.
        Command => ("/mattermost/command"),
        /// plugNmeet's webhooks.
        PlugNmeet => ("/plugnmeet/webhook"),
        /// The join page and joining.
        Join => ("/join/{token}"),
        /// Artifact pages and downloads.
        Artifact => ("/artifact/{token}"),
        /// Everything else.
        Other => ("other"),
    }
    /// Who sent a webhook, with what it said.
    Webhook("source", "event") {
        /// A post that an outgoing webhook reported.
        Post => ("outgoing_webhook", "post"),
        /// `/plugnmeet start`.
        CommandStart => ("slash_command", "start"),
        /// `/plugnmeet end`.
        CommandEnd => ("slash_command", "end"),
        /// `/plugnmeet list`.
        CommandList => ("slash_command", "list"),
        /// `/plugnmeet help` and whatever is not understood.
        CommandHelp => ("slash_command", "help"),
        /// `room_created`, `room_started`.
        RoomCreated => ("plugnmeet", "room_created"),
        /// `participant_joined`.
        ParticipantJoined => ("plugnmeet", "participant_joined"),
        /// `participant_left`.
        ParticipantLeft => ("plugnmeet", "participant_left"),
        /// `start_recording`, `end_recording`, `recording_proceeded`.
        Recording => ("plugnmeet", "recording"),
        /// `artifact_created`.
        ArtifactCreated => ("plugnmeet", "artifact_created"),
        /// `session_ended`, `room_finished`.
        SessionEnded => ("plugnmeet", "session_ended"),
        /// An event that the relay has no use for, or does not know.
        Unknown => ("plugnmeet", "other"),
    }
    /// What became of an authenticated webhook at the door.
    Reception("result") {
        /// It became an event that is on stable storage, or was answered in full.
        Accepted => ("accepted"),
        /// It is none of the relay's: another text, an own post, a foreign room.
        Ignored => ("ignored"),
        /// It was refused; the reason is in `webhooks_rejected_total`.
        Rejected => ("rejected"),
    }
    /// Who sends webhooks.
    WebhookSource("source") {
        /// Mattermost, for a post.
        OutgoingWebhook => ("outgoing_webhook"),
        /// Mattermost, for a command.
        SlashCommand => ("slash_command"),
        /// plugNmeet.
        PlugNmeet => ("plugnmeet"),
    }
    /// Why a webhook was refused.
    Rejection("reason") {
        /// The signature does not verify.
        BadSignature => ("bad_signature"),
        /// The signature is good, but of another time: clocks that differ, or a late repetition.
        Stale => ("stale"),
        /// The token is not one of the configured ones.
        BadToken => ("bad_token"),
        /// It cannot be read.
        Malformed => ("malformed"),
        /// The body is over the limit.
        TooLarge => ("too_large"),
        /// The content type is none that is read.
        UnsupportedMedia => ("unsupported_media"),
        /// One person started too many meetings within a minute.
        RateLimited => ("rate_limited"),
        /// It could not be made durable.
        Backpressure => ("backpressure"),
    }
    /// What a person did to start or end a meeting.
    TriggerKind("kind") {
        /// A phrase in a post.
        OutgoingWebhook => ("outgoing_webhook"),
        /// A command.
        SlashCommand => ("slash_command"),
    }
    /// Where events come from.
    EventSource("source") {
        /// People.
        Mattermost => ("mattermost"),
        /// plugNmeet's webhooks.
        PlugNmeet => ("plugnmeet"),
        /// The relay's own jobs, polls and sweeps.
        Relay => ("relay"),
    }
    /// What became of an event.
    Settled("outcome") {
        /// Applied to its meeting.
        Delivered => ("delivered"),
        /// It had come before.
        Duplicate => ("duplicate"),
        /// It had come before with another content; the first one counts.
        Conflict => ("conflict"),
        /// It belongs to no meeting of the relay.
        Foreign => ("foreign"),
        /// Given up and kept for a person.
        DeadLettered => ("dead_lettered"),
    }
    /// What became of a delivered message.
    JobOutcome("outcome") {
        /// Its effect is there.
        Delivered => ("delivered"),
        /// Another attempt was scheduled.
        Retried => ("retried"),
        /// Given up and kept for a person.
        DeadLettered => ("dead_lettered"),
        /// Not wanted any more.
        Obsolete => ("obsolete"),
    }
    /// Why a message was given up.
    DeadReason("reason") {
        /// Attempts or age used up, or refused by the peer for good.
        GivenUp => ("given_up"),
        /// It was worked on too often without an end.
        Poison => ("poison"),
        /// It cannot be read.
        Unreadable => ("unreadable"),
    }
    /// What changed in a meeting, as far as its card is concerned.
    CardChange("event") {
        /// The room opened, somebody came or went, a recording began or stopped.
        Running => ("running"),
        /// It ended.
        Ended => ("ended"),
        /// A recording or summary came.
        Artifact => ("artifact"),
    }
    /// A kind of call to a peer.
    Operation("target", "operation") {
        /// Making a post, a notice or a direct message.
        CreatePost => ("mattermost", "create_post"),
        /// Changing or deleting a post.
        PatchPost => ("mattermost", "patch_post"),
        /// Answering a command through its response URL.
        AnswerCommand => ("mattermost", "answer_command"),
        /// Reading posts, channels and people, joining a channel, logging in and out.
        Read => ("mattermost", "read"),
        /// Making a room.
        CreateRoom => ("plugnmeet", "create_room"),
        /// Ending a room.
        EndRoom => ("plugnmeet", "end_room"),
        /// Minting a join or download token.
        MintToken => ("plugnmeet", "mint_token"),
        /// Asking for a room's state, its artifacts or a summary.
        Ask => ("plugnmeet", "ask"),
    }
    /// What a call to a peer met.
    CallOutcome("outcome") {
        /// Done.
        Success => ("2xx"),
        /// Refused for good, or not there.
        Refused => ("4xx"),
        /// Our token or key is wrong.
        Unauthorized => ("unauthorized"),
        /// Told to wait.
        RateLimited => ("rate_limited"),
        /// The peer has trouble of its own.
        ServerError => ("5xx"),
        /// No connection, or no whole answer within the deadline.
        Unreachable => ("unreachable"),
    }
    /// A breaker's state.
    BreakerState("state") {
        /// Calls go through.
        Closed => ("closed"),
        /// Calls are suspended, but for one now and then that finds out whether the peer is back.
        Open => ("open"),
    }
    /// The state that a breaker went to.
    BreakerTurn("to") {
        /// Calls go through again.
        Closed => ("closed"),
        /// Calls are suspended.
        Open => ("open"),
    }
    /// What was found by asking, because no webhook told it.
    Repair("kind") {
        /// An end.
        MissedEnd => ("missed_end"),
        /// A recording or summary.
        MissedArtifact => ("missed_artifact"),
        /// A phrase that no outgoing webhook told, found in a channel.
        MissedTrigger => ("missed_trigger"),
        /// A meeting whose work was not done in time, published again.
        Woken => ("woken"),
    }
    /// Where messages lie.
    Holding("queue") {
        /// The queue of events.
        Events => ("events"),
        /// Jobs that call plugNmeet.
        Conference => ("conference"),
        /// First cards and answers.
        Chat => ("chat"),
        /// Refreshes, artifacts and retries.
        ChatLater => ("chat.later"),
        /// Messages of whatever queue that wait for their time in RabbitMQ's delay queues.
        Delay => ("delay"),
    }
    /// A connection to RabbitMQ.
    AmqpRole("role") {
        /// The one that messages go out by.
        Publisher => ("publisher"),
        /// The one that messages come in by.
        Consumer => ("consumer"),
    }
    /// Why a connection to RabbitMQ ended, or could not be made.
    AmqpEnding("reason") {
        /// The network or the broker's machine.
        Io => ("io"),
        /// The broker was silent for too long.
        Heartbeat => ("heartbeat"),
        /// The broker closed it.
        ServerClosed => ("server_closed"),
        /// A person must change something: credentials, rights, certificate, topology.
        Auth => ("auth"),
        /// The broker did not answer in time.
        Timeout => ("timeout"),
    }
    /// What became of a message that was published to RabbitMQ.
    AmqpPublish("result") {
        /// The broker has it on disk.
        Confirmed => ("confirmed"),
        /// The broker refused it: its queue is full.
        Nacked => ("nacked"),
        /// No confirm came in time; the broker may have it.
        Timeout => ("timeout"),
        /// The connection was down or blocked, or ended before the confirm.
        Away => ("away"),
    }
    /// Why a late answer to a slash command never came.
    LostAnswer("reason") {
        /// Mattermost did not take it: its response URL has run out, or was never one.
        Refused => ("refused"),
        /// The command's response URL is not of the form of Mattermost's.
        ForeignResponseUrl => ("foreign_response_url"),
    }
    /// A named condition of readiness.
    Check("check") {
        /// An event can be made durable: by the queue, or by the spool while RabbitMQ is away.
        Queue => ("queue"),
        /// RabbitMQ takes and confirms messages; holds always with the embedded queue.
        AmqpPublisher => ("amqp_publisher"),
        /// RabbitMQ hands out messages; holds always with the embedded queue.
        AmqpConsumer => ("amqp_consumer"),
        /// The spool has room; holds not when it is switched off, and always with the embedded queue.
        Spool => ("spool"),
        /// The store answers.
        Store => ("store"),
        /// Mattermost answers.
        Mattermost => ("mattermost"),
        /// plugNmeet answers.
        PlugNmeet => ("plugnmeet"),
        /// No stop was asked for.
        NotDraining => ("not_draining"),
    }
    /// The severity of a log line.
    Level("level") {
        /// A person must look.
        Error => ("error"),
        /// Went wrong and was survived.
        Warn => ("warn"),
        /// One line at accept and at settle.
        Info => ("info"),
        /// Each step.
        Debug => ("debug"),
        /// Everything.
        Trace => ("trace"),
    }
}
