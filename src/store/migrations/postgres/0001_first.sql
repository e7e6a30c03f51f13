-- The first form of the store. Times are milliseconds since 1970 on the relay's clock. Keys are compared byte by byte
-- (collation "C"), so that no change of the system's collations damages an index.

-- One row a meeting. `body` is the whole meeting as JSON without its posts; the other columns are copies of what
-- is searched or listed.
CREATE TABLE meetings (
    id            text COLLATE "C" PRIMARY KEY,
    room          text COLLATE "C" NOT NULL UNIQUE,
    place         text COLLATE "C" NOT NULL,
    running       boolean NOT NULL,
    state         text NOT NULL,
    title         text NOT NULL,
    channel_name  text NOT NULL,
    starter       text NOT NULL,
    requested_at  bigint NOT NULL,
    first_request text NOT NULL,
    round         bigint NOT NULL,
    wake_at       bigint,
    body          text NOT NULL
);
CREATE INDEX meetings_by_age ON meetings (requested_at, id);
CREATE INDEX meetings_running_by_age ON meetings (requested_at, id) WHERE running;
CREATE INDEX meetings_running_by_place ON meetings (place, requested_at, id) WHERE running;
CREATE INDEX meetings_by_wake ON meetings (wake_at, id) WHERE wake_at IS NOT NULL;

-- By what a meeting is found: its sessions and its breakout rooms' sessions, everybody's requests, its artifacts.
CREATE TABLE sessions (
    sid     text COLLATE "C" PRIMARY KEY,
    meeting text COLLATE "C" NOT NULL REFERENCES meetings (id)
);
CREATE TABLE requests (
    request text COLLATE "C" PRIMARY KEY,
    meeting text COLLATE "C" NOT NULL REFERENCES meetings (id)
);
CREATE TABLE artifacts (
    artifact text COLLATE "C" PRIMARY KEY,
    meeting  text COLLATE "C" NOT NULL REFERENCES meetings (id)
);

-- Written by chat workers alone.
CREATE TABLE posts (
    meeting        text COLLATE "C" NOT NULL REFERENCES meetings (id),
    key            text COLLATE "C" NOT NULL,
    first_tried_at bigint,
    post           text COLLATE "C",
    posted_at      bigint,
    root           text,
    rendered       bigint NOT NULL,
    answered       boolean NOT NULL,
    frozen         text,
    tidy_at        bigint,
    outside_since  bigint,
    sent           bigint NOT NULL,
    again_at       bigint,
    PRIMARY KEY (meeting, key)
);
CREATE INDEX posts_by_post ON posts (post) WHERE post IS NOT NULL;

-- Which events have come, so that a double is known.
CREATE TABLE seen (
    source  text COLLATE "C" NOT NULL,
    key     text COLLATE "C" NOT NULL,
    event   text NOT NULL,
    content bytea NOT NULL,
    meeting text,
    at      bigint NOT NULL,
    PRIMARY KEY (source, key)
);
CREATE INDEX seen_by_age ON seen (at);

-- One line for each event that was settled, for people; `line` orders those of one meeting.
CREATE TABLE events (
    line        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event       text COLLATE "C" NOT NULL,
    meeting     text COLLATE "C",
    kind        text NOT NULL,
    source      text NOT NULL,
    effect      text NOT NULL,
    received_at bigint NOT NULL,
    applied_at  bigint NOT NULL
);
CREATE INDEX events_by_meeting ON events (meeting, line) WHERE meeting IS NOT NULL;
CREATE INDEX events_by_event ON events (event, line);
CREATE INDEX events_by_age ON events (applied_at);

-- Every attempt at a job.
CREATE TABLE attempts (
    line     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meeting  text COLLATE "C" NOT NULL,
    job      text NOT NULL,
    number   bigint NOT NULL,
    queue    text NOT NULL,
    due_at   bigint NOT NULL,
    began_at bigint NOT NULL,
    took_ms  bigint NOT NULL,
    ending   text NOT NULL,
    detail   text NOT NULL
);
CREATE INDEX attempts_by_meeting ON attempts (meeting, line);
CREATE INDEX attempts_by_age ON attempts (began_at);

-- What people did by hand.
CREATE TABLE notes (
    line    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      bigint NOT NULL,
    who     text NOT NULL,
    action  text NOT NULL,
    subject text COLLATE "C" NOT NULL,
    meeting text COLLATE "C"
);
CREATE INDEX notes_by_meeting ON notes (meeting, line) WHERE meeting IS NOT NULL;
CREATE INDEX notes_by_subject ON notes (subject, line);
CREATE INDEX notes_by_age ON notes (at);

-- Jobs and messages given up, kept for a person.
CREATE TABLE dead_letters (
    id        text COLLATE "C" PRIMARY KEY,
    queue     text NOT NULL,
    kind      text NOT NULL,
    meeting   text COLLATE "C",
    reason    text NOT NULL,
    buried_at bigint NOT NULL,
    attempts  bigint NOT NULL,
    body      bytea NOT NULL
);
CREATE INDEX dead_letters_by_age ON dead_letters (buried_at, id);
CREATE INDEX dead_letters_by_meeting ON dead_letters (meeting) WHERE meeting IS NOT NULL;

-- How often work on a redelivered message has begun without a verdict.
CREATE TABLE marks (
    line    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message text COLLATE "C" NOT NULL UNIQUE,
    begun   bigint NOT NULL
);

-- Who may work on a meeting's posts, and who does what only one replica does, until when.
CREATE TABLE leases (
    meeting text COLLATE "C" PRIMARY KEY,
    owner   text NOT NULL,
    until   bigint NOT NULL
);
CREATE TABLE duties (
    duty  text COLLATE "C" PRIMARY KEY,
    owner text NOT NULL,
    until bigint NOT NULL
);

-- Small values that outlive the process.
CREATE TABLE settings (
    name  text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);
