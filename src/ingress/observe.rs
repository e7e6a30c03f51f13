//! What ingress tells about itself.

use std::time::Duration;

use crate::domain::Event;
use crate::domain::label::labels;

labels! {
    /// Who calls us.
    pub enum Source {
        /// Mattermost, about a post.
        OutgoingWebhook = "outgoing_webhook",
        /// Mattermost, about a command.
        SlashCommand = "slash_command",
        /// plugNmeet.
        Plugnmeet = "plugnmeet",
    }

    /// What an authenticated call was: plugNmeet's own word for it. What the relay has no use for is counted together.
    pub enum Trigger of source {
        /// An outgoing webhook of Mattermost.
        OutgoingWebhook = "post",
        /// A slash command: `start`.
        CommandStart = "start",
        /// A slash command: `end`.
        CommandEnd = "end",
        /// A slash command: `list`.
        CommandList = "list",
        /// A slash command: `help`, and whatever is not understood.
        CommandHelp = "help",
        /// plugNmeet: a room was made.
        RoomCreated = "room_created",
        /// plugNmeet: the first media came.
        RoomStarted = "room_started" in "room_created",
        /// plugNmeet: somebody joined.
        ParticipantJoined = "participant_joined",
        /// plugNmeet: somebody left.
        ParticipantLeft = "participant_left",
        /// plugNmeet: a camera or microphone was switched on.
        TrackPublished = "track_published" in "other",
        /// plugNmeet: a camera or microphone was switched off.
        TrackUnpublished = "track_unpublished" in "other",
        /// plugNmeet: a recording began, or failed to.
        StartRecording = "start_recording" in "recording",
        /// plugNmeet: a recording stopped.
        EndRecording = "end_recording" in "recording",
        /// plugNmeet: a stream began.
        StartRtmp = "start_rtmp" in "other",
        /// plugNmeet: a stream stopped.
        EndRtmp = "end_rtmp" in "other",
        /// plugNmeet: a recording's file is ready.
        RecordingProceeded = "recording_proceeded" in "recording",
        /// plugNmeet: the recorder is done with a file, or failed.
        RecordingTranscodingFinished = "recording_transcoding_finished" in "other",
        /// plugNmeet: a session ended.
        SessionEnded = "session_ended",
        /// plugNmeet: LiveKit closed the room.
        RoomFinished = "room_finished" in "session_ended",
        /// plugNmeet: an artifact is ready.
        ArtifactCreated = "artifact_created",
        /// plugNmeet: the analytics are ready, told a second time.
        AnalyticsProceeded = "analytics_proceeded" in "other",
        /// plugNmeet: an event of the future.
        UnknownEvent = "unknown" in "other",
    }

    /// What became of an authenticated call. Doubles are found later, by apply.
    pub enum ReceivedAs {
        /// An event is on stable storage, or the question was answered.
        Accepted = "accepted",
        /// Nothing for us.
        Ignored = "ignored",
        /// Not taken; the reason is counted besides.
        Rejected = "rejected",
    }

    /// Why a call was not taken.
    pub enum Rejected {
        /// No signature of plugNmeet's over this body.
        BadSignature = "bad_signature",
        /// Not one of the tokens.
        BadToken = "bad_token",
        /// A good signature, at another time.
        Stale = "stale",
        /// A body that cannot be understood.
        Malformed = "malformed",
        /// A body over the limit.
        TooLarge = "too_large",
        /// A content type or encoding that is not expected.
        UnsupportedMedia = "unsupported_media",
        /// Too many starts of one person in one channel.
        RateLimited = "rate_limited",
        /// It could not be made durable in time.
        Backpressure = "backpressure",
    }

    /// Why an authenticated call was nothing for us.
    pub(crate) enum Ignored {
        /// No rule matches the text.
        NoRule = "no_rule",
        /// The relay's own post.
        OwnPost = "own_post",
        /// An event that the relay has no use for.
        NoUse = "no_use",
        /// Something in it cannot be an identifier.
        BadId = "bad_id",
    }

    /// Something that an operator may want to know of.
    pub(crate) enum Noted {
        /// A response_url is not of the form of Mattermost's: no late answers.
        ForeignResponseUrl = "foreign_response_url",
        /// A page could not read the store in time.
        StoreAway = "store_away",
        /// A join or download token was minted.
        Minted = "minted",
        /// plugNmeet did not mint one.
        NotMinted = "not_minted",
        /// plugNmeet was not asked: too many are wanted.
        MintsLimited = "mints_limited",
        /// The owner of a link has no active account any more.
        AccountGone = "account_gone",
        /// A link with a bad signature.
        BadLink = "bad_link",
    }

    /// The templates of the public routes.
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
        /// The way to its file.
        ArtifactFile = "/artifact/{token}/file" in "/artifact/{token}",
        /// Is anybody there?
        Health = "/healthz" in "other",
        /// No route.
        Other = "other",
    }

    /// A route with the method that it is for.
    pub enum Endpoint of route {
        /// Outgoing webhooks.
        Outgoing = "POST",
        /// Slash commands.
        CommandPost = "POST",
        /// Slash commands that are set up for GET.
        CommandGet = "GET",
        /// Webhooks of plugNmeet.
        Webhook = "POST",
        /// The join page.
        JoinGet = "GET",
        /// Joining.
        JoinPost = "POST",
        /// Artifact pages and downloads.
        Artifact = "GET",
        /// Everything else, such as unknown paths and wrong methods.
        Other = "other",
    }
}

impl Trigger {
    /// Who sends it.
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
    /// What a request by `method` to `route` is for.
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

    /// Its route; [`Route::Other`] for a wrong method.
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

/// Takes note of what happens at the door; must not block.
pub(crate) trait IngressObserver: Send + Sync + 'static {
    /// An event is on stable storage.
    fn accepted(&self, event: &Event);
    /// An authenticated call and what became of it.
    fn received(&self, trigger: Trigger, result: ReceivedAs);
    /// A call that was not taken.
    fn rejected(&self, source: Source, reason: Rejected);
    /// An authenticated call that was nothing for us.
    fn ignored(&self, trigger: Trigger, reason: Ignored);
    /// Something else worth a counter.
    fn noted(&self, what: Noted);
    /// An answer left: `method` is one of GET, HEAD, POST and `other`.
    fn answered(&self, route: Route, method: &'static str, status: u16, took: Duration);
}
