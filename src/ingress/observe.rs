//! What ingress reports about itself: the labels of its metrics and the trait of its observer.

use std::time::Duration;

use crate::domain::Event;
use crate::domain::label::labels;

labels! {
    /// The sender of a call.
    pub enum Source {
        /// Mattermost, with an outgoing webhook for a post.
        OutgoingWebhook = "outgoing_webhook",
        /// Mattermost, with a slash command.
        SlashCommand = "slash_command",
        /// plugNmeet, with a webhook.
        Plugnmeet = "plugnmeet",
    }

    /// The kind of an authenticated call, in plugNmeet's own words for its events. Kinds that the relay does not use
    /// share one label.
    pub enum Trigger of source {
        /// An outgoing webhook of Mattermost.
        OutgoingWebhook = "post",
        /// A slash command: `start`.
        CommandStart = "start",
        /// A slash command: `end`.
        CommandEnd = "end",
        /// A slash command: `list`.
        CommandList = "list",
        /// A slash command: `help`, and every text that is not understood.
        CommandHelp = "help",
        /// plugNmeet: a room was created.
        RoomCreated = "room_created",
        /// plugNmeet: LiveKit opened its room.
        RoomStarted = "room_started" in "room_created",
        /// plugNmeet: somebody joined.
        ParticipantJoined = "participant_joined",
        /// plugNmeet: somebody left.
        ParticipantLeft = "participant_left",
        /// plugNmeet: a camera or microphone was switched on.
        TrackPublished = "track_published" in "other",
        /// plugNmeet: a camera or microphone was switched off.
        TrackUnpublished = "track_unpublished" in "other",
        /// plugNmeet: a recording began, or failed to begin.
        StartRecording = "start_recording" in "recording",
        /// plugNmeet: a recording stopped.
        EndRecording = "end_recording" in "recording",
        /// plugNmeet: a stream began.
        StartRtmp = "start_rtmp" in "other",
        /// plugNmeet: a stream stopped.
        EndRtmp = "end_rtmp" in "other",
        /// plugNmeet: a recording's file is ready.
        RecordingProceeded = "recording_proceeded" in "recording",
        /// plugNmeet: the recorder has finished a file, or failed.
        RecordingTranscodingFinished = "recording_transcoding_finished" in "other",
        /// plugNmeet: a session ended.
        SessionEnded = "session_ended",
        /// plugNmeet: LiveKit closed the room.
        RoomFinished = "room_finished" in "session_ended",
        /// plugNmeet: an artifact is ready.
        ArtifactCreated = "artifact_created",
        /// plugNmeet: the analytics are ready; `artifact_created` reports the same.
        AnalyticsProceeded = "analytics_proceeded" in "other",
        /// plugNmeet: an event with a name that the relay does not know.
        UnknownEvent = "unknown" in "other",
    }

    /// The result of an authenticated call. Duplicates are detected later, by apply.
    pub enum ReceivedAs {
        /// An event is on stable storage, or the question was answered.
        Accepted = "accepted",
        /// The call asks the relay for nothing.
        Ignored = "ignored",
        /// The call was refused; the reason is counted separately.
        Rejected = "rejected",
    }

    /// Why a call was refused.
    pub enum Rejected {
        /// No valid signature of plugNmeet over this body.
        BadSignature = "bad_signature",
        /// The token does not match any of the configured ones.
        BadToken = "bad_token",
        /// The signature is valid, but its time is too far from ours.
        Stale = "stale",
        /// The body is malformed.
        Malformed = "malformed",
        /// The body is over the limit.
        TooLarge = "too_large",
        /// The content type or encoding is not accepted.
        UnsupportedMedia = "unsupported_media",
        /// Too many requests of one person in one channel.
        RateLimited = "rate_limited",
        /// The event could not be made durable in time.
        Backpressure = "backpressure",
    }

    /// Why an authenticated call was ignored.
    pub(crate) enum Ignored {
        /// No rule matches the text.
        NoRule = "no_rule",
        /// The post is the relay's own.
        OwnPost = "own_post",
        /// The relay does not use this kind of event.
        NoUse = "no_use",
        /// A field does not hold a valid identifier.
        BadId = "bad_id",
    }

    /// Other occurrences that are counted for operators.
    pub(crate) enum Noted {
        /// A `response_url` does not have Mattermost's format, so late answers are not possible.
        ForeignResponseUrl = "foreign_response_url",
        /// A page could not read the store in time.
        StoreAway = "store_away",
        /// A join or download token was minted.
        Minted = "minted",
        /// plugNmeet did not mint a token.
        NotMinted = "not_minted",
        /// plugNmeet was not asked for a token because there were too many requests.
        MintsLimited = "mints_limited",
        /// The owner of a personal link has no active account any more.
        AccountGone = "account_gone",
        /// A link has an invalid signature.
        BadLink = "bad_link",
    }

    /// The public routes, named by their path templates.
    pub enum Route {
        /// Outgoing webhooks.
        Outgoing = "/mattermost/outgoing",
        /// Slash commands, on any of their three paths.
        Command = "/mattermost/command",
        /// Webhooks of plugNmeet.
        Webhook = "/plugnmeet/webhook",
        /// The join page.
        Join = "/join/{token}",
        /// The page of an artifact.
        Artifact = "/artifact/{token}",
        /// The redirect to the file of an artifact.
        ArtifactFile = "/artifact/{token}/file" in "/artifact/{token}",
        /// The check that the listener serves.
        Health = "/healthz" in "other",
        /// Every other path.
        Other = "other",
    }

    /// A route with a method that it accepts.
    pub enum Endpoint of route {
        /// Outgoing webhooks.
        Outgoing = "POST",
        /// Slash commands.
        CommandPost = "POST",
        /// Slash commands that Mattermost sends with GET.
        CommandGet = "GET",
        /// Webhooks of plugNmeet.
        Webhook = "POST",
        /// The join page.
        JoinGet = "GET",
        /// The form of the join page.
        JoinPost = "POST",
        /// Artifact pages and downloads.
        Artifact = "GET",
        /// Everything else, such as unknown paths and wrong methods.
        Other = "other",
    }
}

impl Trigger {
    /// The sender of such calls.
    pub const fn source(self) -> Source {
        match self {
            Self::OutgoingWebhook => Source::OutgoingWebhook,
            Self::CommandStart | Self::CommandEnd | Self::CommandList | Self::CommandHelp => {
                Source::SlashCommand
            }
            _ => Source::Plugnmeet,
        }
    }
}

impl Endpoint {
    /// The endpoint of a request by `method` to `route`.
    pub fn of(route: Route, method: &str) -> Self {
        match (route, method) {
            (Route::Outgoing, "POST") => Self::Outgoing,
            (Route::Command, "POST") => Self::CommandPost,
            (Route::Command, "GET") => Self::CommandGet,
            (Route::Webhook, "POST") => Self::Webhook,
            (Route::Join, "GET" | "HEAD") => Self::JoinGet,
            (Route::Join, "POST") => Self::JoinPost,
            (Route::Artifact | Route::ArtifactFile, "GET" | "HEAD") => Self::Artifact,
            _ => Self::Other,
        }
    }

    /// The route of this endpoint; [`Route::Other`] also for a wrong method.
    pub const fn route(self) -> Route {
        match self {
            Self::Outgoing => Route::Outgoing,
            Self::CommandPost | Self::CommandGet => Route::Command,
            Self::Webhook => Route::Webhook,
            Self::JoinGet | Self::JoinPost => Route::Join,
            Self::Artifact => Route::Artifact,
            Self::Other => Route::Other,
        }
    }
}

/// Receives what happens at the ingress. Its methods must not block.
pub(crate) trait IngressObserver: Send + Sync + 'static {
    /// An event is on stable storage.
    fn accepted(&self, event: &Event);
    /// An authenticated call was handled with this result.
    fn received(&self, trigger: Trigger, result: ReceivedAs);
    /// A call was refused.
    fn rejected(&self, source: Source, reason: Rejected);
    /// An authenticated call was ignored.
    fn ignored(&self, trigger: Trigger, reason: Ignored);
    /// Another occurrence that has a counter.
    fn noted(&self, what: Noted);
    /// An answer was sent. `method` is one of GET, HEAD, POST and `other`.
    fn answered(&self, route: Route, method: &'static str, status: u16, took: Duration);
}
