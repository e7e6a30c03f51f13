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
        /// Where health, metrics and the admin API are served. Never open it to the outside. At a loopback address only requests for `localhost` or a loopback address are answered.
        admin_listen: SocketAddr = "127.0.0.1:9090",
        /// The bearer token of the admin API at `server.admin_listen`; at least 32 bytes. If absent, one is created at each start and written to `admin-token` in `server.data_dir`. The commands of this program need none.
        admin_token: Option<SecretString>,
        /// The address at which Mattermost, plugNmeet and browsers reach this relay; every link begins with it. Needed to serve.
        public_url: Option<Url>,
        /// Signs the links that the relay creates and the messages in the queue; at least 32 bytes. If absent, one is created once and kept in the store.
        signing_secret: Option<SecretString>,
        /// Earlier signing secrets, at most 16: links and messages that were signed with one of them stay valid. A secret that the relay created for itself stays valid without being listed here.
        previous_signing_secrets: Vec<SecretString>,
        /// Directory of the socket through which the commands of this program connect, of the admin token, and of the queue's and the store's default files. Created so that only the relay's user can read it.
        data_dir: PathBuf = "data",
        /// A sender must send its headers within this time.
        header_timeout: Duration = "10s" in "100ms" to "5m",
        /// A request must be read and answered within this time.
        request_timeout: Duration = "12s" in "1s" to "5m",
        /// Longest body of a request.
        body_bytes_max: ByteSize = "1MiB" in "16KiB" to "16MiB",
        /// Most connections at the same time. For one more, the connection that has waited longest without a request is closed.
        connections_max: u32 = "1024" in "1" to "65536",
        /// How long work in flight may take after a stop is requested.
        drain_timeout: Duration = "25s" in "0s" to "10m"
    }
}

section! {
    /// The chat server.
    Mattermost at "mattermost" {
        /// Accept triggers from Mattermost and show meetings there.
        enabled: bool = "true",
        /// The address of the chat server, the only chat host that is ever called. Needed to serve.
        url: Option<Url>,
        /// Tokens of outgoing webhooks. There may be several, so that they can be rotated.
        outgoing_tokens: Vec<SecretString>,
        /// Tokens of slash commands. There may be several, so that they can be rotated.
        command_tokens: Vec<SecretString>,
        /// Token of the bot account that posts the cards. Needed to serve, unless another delivery method is set: a login, the endpoint of a plugin, or an incoming webhook. The first one that is set is used, in this order.
        bot_token: Option<SecretString>,
        /// Name or e-mail address of the account that posts the cards, when there is no bot: the relay logs in itself.
        login_id: Option<String>,
        /// That account's password.
        password: Option<SecretString>,
        /// Address of an HTTP endpoint of a Mattermost plugin that posts for the relay. It receives the JSON of an incoming webhook. Any 2xx answer means that the notice is posted, unless its body begins with `<` (a page, such as the login page of a proxy). Only notices can be posted this way: nothing can be edited.
        plugin_url: Option<SecretUrl>,
        /// The value of the header `Authorization` of these calls; Mattermost forwards it to the plugin since version 9.4.
        plugin_authorization: Option<SecretString>,
        /// Address of an incoming webhook, when there is no bot. Only notices can be posted this way: nothing can be edited or looked up.
        incoming_webhook_url: Option<SecretUrl>,
        /// The format of notices. `slack` uses only what every server with Slack's incoming webhooks understands.
        format: NoticeFormatSetting = "mattermost",
        /// If the answer to a notice is lost, the notice is posted once more after this time, and may be there twice.
        notice_again_after: Duration = "1m" in "1s" to "1h",
        /// Deadline of one call, including connect, headers and body.
        call_timeout: Duration = "10s" in "100ms" to "5m",
        /// Most calls at the same time.
        concurrency: u32 = "8" in "1" to "256",
        /// Most calls in a second, for a server that others use too. 0 means as many as its own rate limit (`X-RateLimit-...`) allows.
        calls_per_second: u32 = "0" in "0" to "10000",
        /// Most meetings that one person may start in one channel within a minute, and most ends that they may ask for there; in all channels together five times as many. Phrases beyond the limit are ignored; commands are answered that there are too many.
        starts_per_minute: u32 = "5" in "1" to "1000",
        /// If the answer to a new post is lost, the relay looks for duplicates of the post after this time.
        tidy_after: Duration = "1m" in "1s" to "1h",
        /// Whether the relay looks for phrases that it missed. Mattermost sends each outgoing webhook only once. With a bot or a login the relay reads the public channels of its account: after every start, and whenever it could not accept a phrase. It cannot see where an outgoing webhook is set up. Set `false` if phrases must not work in every public channel that the account is in.
        catch_up: bool = "true",
        /// The trigger words of the outgoing webhook in Mattermost. A missed post that begins with another word is never found later. They are read from Mattermost if the account may see its webhooks. If absent: the first word of each phrase, as `meet`, `Meet`, `MEET`, `meet:`, `Meet:` and `MEET:`.
        trigger_words: Vec<String>,
        /// The interval at which the relay also looks for missed phrases, whatever kept Mattermost from reaching it.
        catch_up_every: Duration = "3m" in "1s" to "1d",
        /// The interval at which the card of a running meeting is tried again while the bot is not in the channel. In an archived channel the interval doubles each time, up to an hour.
        outside_again_after: Duration = "1m" in "1s" to "1h"
    }
}

section! {
    /// The conference server.
    PlugNmeet at "plugnmeet" {
        /// The address of its API and of downloads. Needed to serve.
        url: Option<Url>,
        /// The address that browsers open. If absent: `plugnmeet.url`.
        external_url: Option<Url>,
        /// API key. Needed to serve.
        api_key: Option<SecretString>,
        /// API secret: signs calls and verifies webhooks. Needed to serve.
        api_secret: Option<SecretString>,
        /// Further API secrets, at most 16. Webhooks that are signed with one of them are accepted too; calls are never signed with them. Use them during a rotation.
        previous_api_secrets: Vec<SecretString>,
        /// Deadline of one call, including connect, headers and body. plugNmeet itself waits up to 15 s for its locks.
        call_timeout: Duration = "30s" in "100ms" to "5m",
        /// Most calls at the same time.
        concurrency: u32 = "8" in "1" to "256",
        /// How long after a room was created the relay first asks whether it still runs.
        poll_first_after: Duration = "1m" in "1s" to "1d",
        /// The interval at which the relay then asks again. This finds ends whose webhook was lost.
        poll_every: Duration = "2m" in "1s" to "1d",
        /// The request to end a room is repeated after this time.
        end_again_after: Duration = "15s" in "1s" to "1h",
        /// When the relay asks for recordings and summaries, counted from the end of the meeting, in rising order.
        artifact_polls: Vec<Duration> = "55s,2m,5m,15m,1h,6h,1d,2d,3d,4d,5d,6d,7d",
        /// Hosts besides that of `plugnmeet.url` to which a download may be redirected, such as object storage.
        download_hosts: Vec<HostName>
    }
}

section! {
    /// The options of new rooms. Since version 2.3 plugNmeet collects analytics and offers recording, chat, notes, whiteboard, polls, streaming, AI, telephone and breakout rooms whatever is set here; older versions respect `false`.
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
        /// plugNmeet collects numbers about the meeting.
        analytics: bool = "true",
        /// Audio and video are encrypted from end to end. This excludes telephone and streaming in.
        end_to_end_encryption: bool = "false"
    }
}

section! {
    /// The queue of accepted events and owed jobs.
    Queue at "queue" {
        /// The back end: a file of this process, or RabbitMQ.
        url: QueueUrl = "embedded",
        /// The file of the embedded queue. If absent: `queue.db` in `server.data_dir`.
        path: Option<PathBuf>,
        /// Most bytes in the embedded queue. When it is full, nothing more is accepted.
        bytes_max: ByteSize = "1GiB" in "1MiB" to "1TiB",
        /// Whether the relay creates RabbitMQ's exchanges and queues whenever it connects, or only verifies that they exist (`meetrelay topology`).
        declare: DeclareSetting = "create",
        /// A PEM file with the certificates of the authorities that may issue RabbitMQ's certificate, for `amqps://`. If absent: those of the system.
        ca_file: Option<PathBuf>,
        /// RabbitMQ must accept a connection within this time.
        connect_timeout: Duration = "5s" in "100ms" to "1m",
        /// The interval of heartbeats. If RabbitMQ sends nothing for twice this time, the connection counts as broken.
        heartbeat: Duration = "10s" in "1s" to "5m",
        /// RabbitMQ must answer any other call within this time.
        call_timeout: Duration = "5s" in "100ms" to "1m",
        /// RabbitMQ must confirm a message within this time, or the relay reconnects.
        confirm_timeout: Duration = "10s" in "500ms" to "5m",
        /// Most messages that wait for RabbitMQ's confirmation at the same time; others wait before they are sent.
        publish_window: u32 = "128" in "1" to "1000",
        /// Most messages of one queue that RabbitMQ delivers to this relay before they are settled.
        prefetch: u32 = "128" in "1" to "2000",
        /// The longest pause between two attempts to connect.
        reconnect_max: Duration = "5s" in "100ms" to "5m"
    }
}

section! {
    /// Stores events while RabbitMQ is unavailable or refuses them, and forwards them afterwards.
    Spool at "spool" {
        /// Most bytes in the spool. When it is full, nothing more is accepted. `0B` means no spool: nothing is accepted while RabbitMQ is unavailable.
        max_bytes: ByteSize = "256MiB" in "0B" to "1TiB"
    }
}

section! {
    /// Where meetings, posts and dead letters are stored.
    Store at "store" {
        /// The back end: a file of this process, or a PostgreSQL database that several relays share. If absent: `sqlite:` with `meetrelay.db` in `server.data_dir`. A PostgreSQL URL may end with `?sslmode=` and `disable`, `prefer` (the default: encrypted if the server can) or `require`; where the connection is encrypted, the certificate is always verified.
        url: Option<StoreUrl>,
        /// A PEM file with the certificates of the authorities that may issue PostgreSQL's certificate. If absent: those of the system.
        ca_file: Option<PathBuf>,
        /// Most connections to PostgreSQL at the same time.
        connections: u32 = "8" in "2" to "100",
        /// A connection to PostgreSQL must be established within this time.
        connect_timeout: Duration = "5s" in "100ms" to "1m",
        /// PostgreSQL must answer a call within this time, including the wait for locks of other relays.
        call_timeout: Duration = "10s" in "500ms" to "5m"
    }
}

section! {
    /// What happens to a job that failed.
    Retry at "retry" {
        /// The pause after the first failed attempt. Each later pause is longer, with a random part.
        initial: Duration = "1s" in "10ms" to "1h",
        /// The longest pause after an attempt that the peer answered with a failure.
        max: Duration = "10m" in "1s" to "1d",
        /// The longest pause while a peer cannot be reached, so that work continues soon after the peer is available again.
        unavailable_max: Duration = "1m" in "1s" to "1d",
        /// Attempts that count before a job is given up. Attempts at a peer that cannot be reached do not count.
        attempts_max: u32 = "6" in "1" to "100",
        /// A job older than this is given up, whatever its outcome. A job that only waits for a person (a refused token, an archived channel, a bot that is not in the channel) waits for `dedup.keep`, if that is longer.
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
        /// A card "being prepared" is posted if there is no room this long after the request.
        first_card_after: Duration = "2s" in "0s" to "1m",
        /// A card that is posted this long after the request says why.
        late_after: Duration = "30s" in "1s" to "1d"
    }
}

section! {
    /// Messages that were given up and wait for a person (`meetrelay dead-letters`).
    DeadLetters at "dead_letters" {
        /// Most dead letters that are replayed within a second, so that replaying many does not delay what people do meanwhile.
        replay_per_second: u32 = "10" in "1" to "1000"
    }
}

section! {
    /// Finds meetings that still owe jobs, also after a queue was lost.
    Sweep at "sweep" {
        /// The interval between two sweeps.
        every: Duration = "30s" in "100ms" to "1h",
        /// How long it waits for a published job before it publishes the job again. The last value repeats.
        wake_after: Vec<Duration> = "1m,2m,4m,8m,10m",
        /// A job that is due later than this is not published yet; its meeting is woken in time.
        publish_ahead: Duration = "10m" in "1s" to "1d"
    }
}

section! {
    /// Suspends calls to a peer that does not answer.
    Breaker at "breaker" {
        /// Failures in a row after which calls are suspended.
        failures: u32 = "5" in "1" to "1000",
        /// The interval at which a single call tests whether the peer is available again.
        probe_every: Duration = "10s" in "100ms" to "1h"
    }
}

section! {
    /// How duplicate webhooks are detected.
    Dedup at "dedup" {
        /// How long the key of a webhook is remembered.
        keep: Duration = "30d" in "1h" to "365d"
    }
}

section! {
    /// Checks that every accepted event is settled.
    Ledger at "ledger" {
        /// An accepted event that is not settled after this time is searched for in the queue and in the store. If it is in neither, it counts in `meetrelay_unaccounted_events`.
        settled_within: Duration = "1m" in "1s" to "1d"
    }
}

section! {
    /// What the relay writes on standard output.
    Log at "log" {
        /// The format of lines. `auto` is `human` on a terminal, else `json`.
        format: LogFormat = "auto",
        /// The lowest severity that is written.
        level: LogLevel = "info"
    }
}

section! {
    /// Maps phrases in a channel to options of the meeting. The first match is used. Without any rule `meet now` and `meet` start a meeting everywhere.
    Rule repeated at "rule" {
        /// The rule's name in logs.
        name: Option<String>,
        /// What people write to start a meeting. Whole words are compared, regardless of case.
        phrases: Vec<String> = "meet now,meet",
        /// The teams where the rule applies, by id or name. Empty means all.
        teams: Vec<String>,
        /// The channels where the rule applies, by id or name. Empty means all.
        channels: Vec<String>,
        /// The meeting's title if the person wrote none. In a direct message the default is "Meeting".
        title: Template = "{{ channel }} meeting",
        /// Who is a moderator in the room. With `everyone` this includes guests: whoever has the card's link may then remove people, record and end the meeting inside the room, although `/plugnmeet end` is only for whoever started it and for administrators.
        moderators: Moderators = "everyone",
        /// Whom the first recording or summary of a meeting mentions, once.
        notify: Notify = "starter",
        /// How long after the request a room may still be created. After that the person gets the answer that it is too late.
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
        /// `[[rule]]`, in order. Never empty: without any rule in the configuration it holds the built-in rule.
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

    /// The socket through which the commands of this program call the relay.
    pub fn admin_socket_path(&self) -> PathBuf {
        self.server.data_dir.join("admin.sock")
    }
}
