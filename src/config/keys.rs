//! The table of keys: every section, key, type, default and range of the configuration, and its meaning.
//! Doc comments are the texts of `config reference`, so they are written for operators.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use url::Url;

use crate::domain::{Moderators, Notify};

use super::value::{
    DeclareSetting, HostName, LogFormat, LogLevel, NoticeFormatSetting, QueueUrl, SecretUrl,
    StoreUrl, Template,
};

section! {
    /// The two listeners and where the relay keeps its files.
    Server at "server" {
        /// Where Mattermost, plugNmeet and browsers connect, usually through a reverse proxy.
        listen: SocketAddr = "127.0.0.1:8080",
        /// Where health, metrics and the admin API are asked for. Never open it to the outside. At a loopback address only requests for `localhost` or a loopback address are answered.
        admin_listen: SocketAddr = "127.0.0.1:9090",
        /// The bearer token of the admin API at `server.admin_listen`; at least 32 bytes. Absent: made at each start and kept in `admin-token` in `server.data_dir`. The commands of this program need none.
        admin_token: Option<SecretString>,
        /// How Mattermost, plugNmeet and browsers reach this relay: stands in every link. Needed to serve.
        public_url: Option<Url>,
        /// Signs the links that are given out and the messages in the queue; at least 32 bytes. Absent: made once and kept in the store.
        signing_secret: Option<SecretString>,
        /// Signing secrets of earlier times, at most 16: links and messages signed with one of them stay good. The one that the relay once made for itself counts without being written here.
        previous_signing_secrets: Vec<SecretString>,
        /// Directory of the socket through which the commands of this program connect, of the admin token, and of the queue's and the store's default files. Made for the relay's user alone.
        data_dir: PathBuf = "data",
        /// A sender must have sent its headers within this time.
        header_timeout: Duration = "10s" in "100ms" to "5m",
        /// A request must have been read and answered within this time.
        request_timeout: Duration = "12s" in "1s" to "5m",
        /// Longest body of a request.
        body_bytes_max: ByteSize = "1MiB" in "16KiB" to "16MiB",
        /// Most connections at one time; for one more, the one that has waited longest without a request is closed.
        connections_max: u32 = "1024" in "1" to "65536",
        /// How long work in flight may take after a stop was asked for.
        drain_timeout: Duration = "25s" in "0s" to "10m"
    }
}

section! {
    /// The chat server.
    Mattermost at "mattermost" {
        /// Accept triggers from Mattermost and show meetings there.
        enabled: bool = "true",
        /// The chat server; the only chat host that is ever called. Needed to serve.
        url: Option<Url>,
        /// Tokens of outgoing webhooks; several, so that they can be rotated.
        outgoing_tokens: Vec<SecretString>,
        /// Tokens of slash commands; several, so that they can be rotated.
        command_tokens: Vec<SecretString>,
        /// Token of the bot account that posts the cards. Needed to serve, or one of the other ways out: a login, a plugin's endpoint, an incoming webhook. The first that is given counts, in this order.
        bot_token: Option<SecretString>,
        /// Name or e-mail address of the account that posts the cards, when there is no bot: the relay logs in itself.
        login_id: Option<String>,
        /// That account's password.
        password: Option<SecretString>,
        /// Address of an HTTP endpoint of a Mattermost plugin that posts for the relay: it gets the JSON of an incoming webhook, and any 2xx means that it is posted, unless the body begins with `<` (a page, such as a proxy's login). Notices only: nothing can be edited.
        plugin_url: Option<SecretUrl>,
        /// The value of the header `Authorization` of these calls; Mattermost passes it to the plugin from 9.4 on.
        plugin_authorization: Option<SecretString>,
        /// Address of an incoming webhook, when there is no bot. Notices only: nothing can be edited or looked up.
        incoming_webhook_url: Option<SecretUrl>,
        /// For whom notices are written: with `slack` only what every server understands that knows Slack's incoming webhooks.
        format: NoticeFormatSetting = "mattermost",
        /// When the answer to a notice never came, it is posted once more after this time, and may stand there twice.
        notice_again_after: Duration = "1m" in "1s" to "1h",
        /// Deadline of one call, over connect, headers and body.
        call_timeout: Duration = "10s" in "100ms" to "5m",
        /// Most calls at one time.
        concurrency: u32 = "8" in "1" to "256",
        /// Most calls in a second, for a server that many share; 0 for as many as its own rate limit (`X-RateLimit-...`) lets through.
        calls_per_second: u32 = "0" in "0" to "10000",
        /// Most meetings that one person may start in one channel within a minute, and most ends that they may ask for there; in all channels together five times as many. Phrases beyond it are ignored, commands are told so.
        starts_per_minute: u32 = "5" in "1" to "1000",
        /// When the answer to a new post never came, doubles of it are looked for after this time.
        tidy_after: Duration = "1m" in "1s" to "1h",
        /// Mattermost tells the relay only once that a phrase was written. With a bot or a login the relay looks by itself for phrases in the public channels of its account that were written meanwhile: after every start and whenever it could not take one. It cannot see where an outgoing webhook is set up: `false` where phrases must not work in every public channel that the account is in.
        catch_up: bool = "true",
        /// First words of posts with which Mattermost calls the relay, as they stand in its outgoing webhook: what begins otherwise is never found later. Read from Mattermost where the account may see its webhooks. Absent: of each phrase's first word `meet`, `Meet`, `MEET`, `meet:`, `Meet:` and `MEET:`.
        trigger_words: Vec<String>,
        /// The relay also looks for them this often, for whatever kept Mattermost from reaching it.
        catch_up_every: Duration = "3m" in "1s" to "1d",
        /// While the bot is outside the channel of a running meeting, its card is tried again this often; in an archived channel after twice as long each time, up to an hour.
        outside_again_after: Duration = "1m" in "1s" to "1h"
    }
}

section! {
    /// The conference server.
    PlugNmeet at "plugnmeet" {
        /// Where its API is and files are downloaded. Needed to serve.
        url: Option<Url>,
        /// What browsers open. Absent: `plugnmeet.url`.
        external_url: Option<Url>,
        /// API key. Needed to serve.
        api_key: Option<SecretString>,
        /// API secret: signs calls and verifies webhooks. Needed to serve.
        api_secret: Option<SecretString>,
        /// API secrets besides it, at most 16: webhooks signed with one of them are taken too, calls are not signed with them. For the time of a rotation.
        previous_api_secrets: Vec<SecretString>,
        /// Deadline of one call, over connect, headers and body; plugNmeet itself waits up to 15 s for its locks.
        call_timeout: Duration = "30s" in "100ms" to "5m",
        /// Most calls at one time.
        concurrency: u32 = "8" in "1" to "256",
        /// A room is first asked whether it still runs this long after it was made.
        poll_first_after: Duration = "1m" in "1s" to "1d",
        /// And then every so often: finds ends that no webhook told.
        poll_every: Duration = "2m" in "1s" to "1d",
        /// A room that should end is told so again after this time.
        end_again_after: Duration = "15s" in "1s" to "1h",
        /// When to ask for recordings and summaries, counted from the end of the meeting; rising.
        artifact_polls: Vec<Duration> = "55s,2m,5m,15m,1h,6h,1d,2d,3d,4d,5d,6d,7d",
        /// Hosts besides that of `plugnmeet.url` to which a download may be redirected, such as object storage.
        download_hosts: Vec<HostName>
    }
}

section! {
    /// What a room is made with. plugNmeet from 2.3 on gathers analytics and offers recording, chat, notes, whiteboard, polls, streaming, AI, telephone and breakout rooms whatever stands here; older ones honour `false`.
    Room at "plugnmeet.room" {
        /// The room is ended after this time; `0s` for never. plugNmeet counts whole minutes.
        duration: Duration = "0s" in "0s" to "7d",
        /// A room that nobody enters is ended after this time.
        empty_timeout: Duration = "30m" in "2m" to "1d",
        /// Most people in a room; 0 for plugNmeet's own limit.
        max_participants: u32 = "0" in "0" to "100000",
        /// Shown to people who come in; empty for plugNmeet's own text.
        welcome_message: String = "",
        /// People come in muted.
        mute_on_start: bool = "false",
        /// A moderator lets people in.
        waiting_room: bool = "false",
        /// Shown to people who wait to be let in; empty for plugNmeet's own text.
        waiting_room_message: String = "",
        /// Webcams.
        webcams: bool = "true",
        /// Only moderators show their camera.
        admin_only_webcams: bool = "false",
        /// Sharing a screen.
        screen_share: bool = "true",
        /// Recording, on the server and in the browser.
        recording: bool = "true",
        /// Every meeting is recorded on the server as soon as a moderator is there.
        auto_recording: bool = "false",
        /// Chat.
        chat: bool = "true",
        /// Files in the chat.
        chat_file_upload: bool = "true",
        /// Shared notes.
        shared_notepad: bool = "true",
        /// Whiteboard.
        whiteboard: bool = "true",
        /// Playing a video from elsewhere together.
        external_media_player: bool = "true",
        /// Showing a page from elsewhere together.
        external_link: bool = "true",
        /// Breakout rooms.
        breakout_rooms: bool = "true",
        /// Polls.
        polls: bool = "true",
        /// Raising a hand.
        raise_hand: bool = "true",
        /// Reactions.
        reactions: bool = "true",
        /// Virtual backgrounds.
        virtual_background: bool = "true",
        /// Streaming into the room.
        ingress: bool = "true",
        /// Streaming out of the room.
        broadcasting: bool = "true",
        /// Joining by telephone, if plugNmeet is set up for it.
        sip_dial_in: bool = "true",
        /// Transcription, if plugNmeet is set up for it.
        transcription: bool = "true",
        /// Translation of the chat, if plugNmeet is set up for it.
        chat_translation: bool = "true",
        /// Text chat with an AI, if plugNmeet is set up for it.
        ai_text_chat: bool = "true",
        /// AI summary, if plugNmeet is set up for it; a moderator switches it on in the room.
        summary: bool = "true",
        /// plugNmeet gathers numbers about the meeting.
        analytics: bool = "true",
        /// Sound and pictures are encrypted from end to end; excludes telephone and streaming in.
        end_to_end_encryption: bool = "false"
    }
}

section! {
    /// The queue between what was accepted and what is done about it.
    Queue at "queue" {
        /// The back end: a file of this process, or RabbitMQ.
        url: QueueUrl = "embedded",
        /// The embedded queue's file. Absent: `queue.db` in `server.data_dir`.
        path: Option<PathBuf>,
        /// Most bytes that lie in the embedded queue; beyond it nothing is accepted.
        bytes_max: ByteSize = "1GiB" in "1MiB" to "1TiB",
        /// Whether the relay makes RabbitMQ's exchanges and queues whenever it connects, or only verifies that they are there (`meetrelay topology`).
        declare: DeclareSetting = "create",
        /// A PEM file with the certificates of the authorities that may vouch for RabbitMQ with `amqps://`. Absent: those of the system.
        ca_file: Option<PathBuf>,
        /// RabbitMQ must have taken a connection within this time.
        connect_timeout: Duration = "5s" in "100ms" to "1m",
        /// RabbitMQ must show a sign of life every so often, or the connection is given up.
        heartbeat: Duration = "10s" in "1s" to "5m",
        /// RabbitMQ must have answered any other call within this time.
        call_timeout: Duration = "5s" in "100ms" to "1m",
        /// RabbitMQ must have confirmed a message within this time, or the connection is made anew.
        confirm_timeout: Duration = "10s" in "500ms" to "5m",
        /// Most messages that wait for RabbitMQ's confirm at one time; others wait their turn.
        publish_window: u32 = "128" in "1" to "1000",
        /// Most messages of one queue that RabbitMQ hands to this relay ahead of their settlement.
        prefetch: u32 = "128" in "1" to "2000",
        /// The longest pause between two attempts to connect.
        reconnect_max: Duration = "5s" in "100ms" to "5m"
    }
}

section! {
    /// Takes events while RabbitMQ is away or refuses them, and forwards them afterwards.
    Spool at "spool" {
        /// Most bytes that lie in the spool; beyond it nothing is accepted. `0B` for no spool: nothing is accepted while RabbitMQ is away.
        max_bytes: ByteSize = "256MiB" in "0B" to "1TiB"
    }
}

section! {
    /// Where meetings, posts and dead letters are kept.
    Store at "store" {
        /// The back end: a file of this process, or a PostgreSQL database that several relays share. Absent: `sqlite:` with `meetrelay.db` in `server.data_dir`. Behind PostgreSQL's database may stand `?sslmode=` with `disable`, `prefer` (the default: encrypted if the server can) or `require`; where the connection is encrypted, the certificate is always verified.
        url: Option<StoreUrl>,
        /// A PEM file with the certificates of the authorities that may vouch for PostgreSQL. Absent: those of the system.
        ca_file: Option<PathBuf>,
        /// Most connections to PostgreSQL at one time.
        connections: u32 = "8" in "2" to "100",
        /// A connection to PostgreSQL must be there within this time.
        connect_timeout: Duration = "5s" in "100ms" to "1m",
        /// PostgreSQL must have answered a call within this time, waiting for locks of other relays included.
        call_timeout: Duration = "10s" in "500ms" to "5m"
    }
}

section! {
    /// What happens to a job that did not work.
    Retry at "retry" {
        /// The pause after the first failed attempt; each later one is longer, with chance in it.
        initial: Duration = "1s" in "10ms" to "1h",
        /// The longest pause after an attempt that the peer answered with a failure.
        max: Duration = "10m" in "1s" to "1d",
        /// The longest pause while a peer cannot be reached, so that work goes on soon after it is back.
        unavailable_max: Duration = "1m" in "1s" to "1d",
        /// Attempts that count before a job is given up. A peer that cannot be reached uses up none.
        attempts_max: u32 = "6" in "1" to "100",
        /// A job older than this is given up, whatever it met. What only waits for a person (a refused token, an archived channel, a bot outside its channel) waits for `dedup.keep`, if that is longer.
        age_max: Duration = "7d" in "1m" to "365d",
        /// The longest pause that a peer may ask for.
        hint_max: Duration = "1h" in "1s" to "1d"
    }
}

section! {
    /// How a meeting looks in the channel.
    Card at "card" {
        /// The zone of the times on cards and pages.
        time_zone: TimeZone = "UTC",
        /// A card "being prepared" is posted when the room is not there this long after the request.
        first_card_after: Duration = "2s" in "0s" to "1m",
        /// A card that comes this long after the request says why.
        late_after: Duration = "30s" in "1s" to "1d"
    }
}

section! {
    /// What was given up and waits for a person (`meetrelay dead-letters`).
    DeadLetters at "dead_letters" {
        /// Most dead letters that are put back into the queue within a second: replaying many must not hold up what people do meanwhile.
        replay_per_second: u32 = "10" in "1" to "1000"
    }
}

section! {
    /// Finds meetings that still owe something, also after a queue was lost.
    Sweep at "sweep" {
        /// How often it looks.
        every: Duration = "30s" in "100ms" to "1h",
        /// How long it waits for published work before it publishes it again; the last one repeats.
        wake_after: Vec<Duration> = "1m,2m,4m,8m,10m",
        /// Work due later than this is not queued but woken for.
        publish_ahead: Duration = "10m" in "1s" to "1d"
    }
}

section! {
    /// Suspends calls to a peer that does not answer.
    Breaker at "breaker" {
        /// Failures in a row after which calls are suspended.
        failures: u32 = "5" in "1" to "1000",
        /// How often a single call finds out whether the peer is available again.
        probe_every: Duration = "10s" in "100ms" to "1h"
    }
}

section! {
    /// How doubled webhooks are known.
    Dedup at "dedup" {
        /// How long a webhook's key is remembered.
        keep: Duration = "30d" in "1h" to "365d"
    }
}

section! {
    /// Watches that what was accepted is settled.
    Ledger at "ledger" {
        /// An accepted event that is not settled after this time is looked for in the queue and in the store; if it is nowhere, it counts in `meetrelay_unaccounted_events`.
        settled_within: Duration = "1m" in "1s" to "1d"
    }
}

section! {
    /// What the relay writes on standard output.
    Log at "log" {
        /// How lines look; `auto` is `human` on a terminal, else `json`.
        format: LogFormat = "auto",
        /// The least severity that is written.
        level: LogLevel = "info"
    }
}

section! {
    /// Maps phrases in a place to options of the meeting; the first match wins. Without any rule `meet now` and `meet` start a meeting everywhere.
    Rule repeated at "rule" {
        /// Its name in logs.
        name: Option<String>,
        /// What people write to start a meeting, compared as whole words without regard to case.
        phrases: Vec<String> = "meet now,meet",
        /// Teams where it holds, by id or name; empty for all.
        teams: Vec<String>,
        /// Channels where it holds, by id or name; empty for all.
        channels: Vec<String>,
        /// The meeting's title when the person wrote none. In a direct message the default is "Meeting".
        title: Template = "{{ channel }} meeting",
        /// Who is moderator in the room. With `everyone` this includes guests: whoever has the card's link may then remove people, record and end the meeting inside the room, although `/plugnmeet end` is only for whoever started it and for administrators.
        moderators: Moderators = "everyone",
        /// Whom the first recording or summary of a meeting mentions, once.
        notify: Notify = "starter",
        /// How long after the request a room may still be made; later the person is told that it is too late.
        start_deadline: Duration = "15m" in "10s" to "1d"
    }
}

tree! {
    /// The whole configuration.
    #[derive(Debug, Clone)]
    Config {
        /// `[server]`
        server: Server,
        /// `[mattermost]`
        mattermost: Mattermost,
        /// `[plugnmeet]`
        plugnmeet: PlugNmeet,
        /// `[plugnmeet.room]`
        room: Room,
        /// `[queue]`
        queue: Queue,
        /// `[spool]`
        spool: Spool,
        /// `[store]`
        store: Store,
        /// `[retry]`
        retry: Retry,
        /// `[card]`
        card: Card,
        /// `[dead_letters]`
        dead_letters: DeadLetters,
        /// `[sweep]`
        sweep: Sweep,
        /// `[breaker]`
        breaker: Breaker,
        /// `[dedup]`
        dedup: Dedup,
        /// `[ledger]`
        ledger: Ledger,
        /// `[log]`
        log: Log,
        ..
        /// `[[rule]]`, in order; never empty: without one the built-in rule stands here.
        rules: [Rule]
    }
}

impl Config {
    /// The embedded queue's file.
    pub fn queue_path(&self) -> PathBuf {
        let default = || self.server.data_dir.join("queue.db");
        self.queue.path.clone().unwrap_or_else(default)
    }

    /// The folder of all spools, one below it for each relay that shares the data directory.
    pub fn spool_path(&self) -> PathBuf {
        self.server.data_dir.join("spool")
    }

    /// Where the store is: what is configured, or the default file.
    pub fn store_url(&self) -> StoreUrl {
        let default = || StoreUrl::Sqlite(self.server.data_dir.join("meetrelay.db"));
        self.store.url.clone().unwrap_or_else(default)
    }

    /// The file of the admin API's token.
    pub fn admin_token_path(&self) -> PathBuf {
        self.server.data_dir.join("admin-token")
    }

    /// The socket through which the commands of this program speak to the relay.
    pub fn admin_socket_path(&self) -> PathBuf {
        self.server.data_dir.join("admin.sock")
    }
}
