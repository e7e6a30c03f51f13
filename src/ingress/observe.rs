//! What ingress tells about itself. Every label comes from a closed list, so that metrics exist at 0 from the start
//! (operations.md 1).

use std::time::Duration;

use crate::domain::Event;

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$case_doc])* $case,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$case,)*];

            /// The label in metrics and logs.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$case => $label,)*
                }
            }
        }
    };
}

labels! {
    /// Who calls us: the label `source`.
    Source {
        /// Mattermost, about a post.
        OutgoingWebhook = "outgoing_webhook",
        /// Mattermost, about a command.
        SlashCommand = "slash_command",
        /// plugNmeet.
        Plugnmeet = "plugnmeet",
    }
}

labels! {
    /// What an authenticated call was: the label `event`.
    Trigger {
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
        RoomStarted = "room_started",
        /// plugNmeet: somebody joined.
        ParticipantJoined = "participant_joined",
        /// plugNmeet: somebody left.
        ParticipantLeft = "participant_left",
        /// plugNmeet: a camera or microphone was switched on.
        TrackPublished = "track_published",
        /// plugNmeet: a camera or microphone was switched off.
        TrackUnpublished = "track_unpublished",
        /// plugNmeet: a recording began, or failed to.
        StartRecording = "start_recording",
        /// plugNmeet: a recording stopped.
        EndRecording = "end_recording",
        /// plugNmeet: a stream began.
        StartRtmp = "start_rtmp",
        /// plugNmeet: a stream stopped.
        EndRtmp = "end_rtmp",
        /// plugNmeet: a recording's file is ready.
        RecordingProceeded = "recording_proceeded",
        /// plugNmeet: the recorder is done with a file, or failed.
        RecordingTranscodingFinished = "recording_transcoding_finished",
        /// plugNmeet: a session ended.
        SessionEnded = "session_ended",
        /// plugNmeet: LiveKit closed the room.
        RoomFinished = "room_finished",
        /// plugNmeet: an artifact is ready.
        ArtifactCreated = "artifact_created",
        /// plugNmeet: the analytics are ready, told a second time.
        AnalyticsProceeded = "analytics_proceeded",
        /// plugNmeet: an event of the future.
        UnknownEvent = "unknown",
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

labels! {
    /// What became of an authenticated call: the label `result`. Doubles are found later, by apply.
    Received {
        /// An event is on stable storage, or the question was answered.
        Accepted = "accepted",
        /// Nothing for us.
        Ignored = "ignored",
        /// Not taken; the reason is counted besides.
        Rejected = "rejected",
    }
}

labels! {
    /// Why a call was not taken: the label `reason`.
    Rejected {
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
}

labels! {
    /// Why an authenticated call was nothing for us.
    Ignored {
        /// No rule matches the text.
        NoRule = "no_rule",
        /// The relay's own post.
        OwnPost = "own_post",
        /// An event that the relay has no use for.
        NoUse = "no_use",
        /// Something in it cannot be an identifier.
        BadId = "bad_id",
    }
}

labels! {
    /// Something that an operator may want to know of.
    Noted {
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
}

labels! {
    /// The templates of the public routes: the label `route`.
    Route {
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
        ArtifactFile = "/artifact/{token}/file",
        /// Is anybody there?
        Health = "/healthz",
        /// No route.
        Other = "other",
    }
}

/// Takes note of what happens at the door; must not block.
pub trait IngressObserver: Send + Sync + 'static {
    /// An event is on stable storage.
    fn accepted(&self, event: &Event);
    /// An authenticated call and what became of it.
    fn received(&self, trigger: Trigger, result: Received);
    /// A call that was not taken.
    fn rejected(&self, source: Source, reason: Rejected);
    /// An authenticated call that was nothing for us.
    fn ignored(&self, trigger: Trigger, reason: Ignored);
    /// Something else worth a counter.
    fn noted(&self, what: Noted);
    /// An answer left: `method` is one of GET, HEAD, POST and `other`.
    fn answered(&self, route: Route, method: &'static str, status: u16, took: Duration);
}
