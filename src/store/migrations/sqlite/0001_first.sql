-- The first form of the store. Times are milliseconds since 1970 on the relay's clock.

-- "mrst": tells this file from another program's, and from the queue's.
PRAGMA application_id = 1836217204;

-- One row a meeting. `body` is the whole meeting as JSON without its posts; the other columns are copies of what
-- is searched or listed. It stands last, so that listings do not read it.
CREATE TABLE meetings (
    id            TEXT PRIMARY KEY,
    room          TEXT NOT NULL UNIQUE,
    place         TEXT NOT NULL,
    running       INTEGER NOT NULL CHECK (running IN (0, 1)),
    state         TEXT NOT NULL,
    title         TEXT NOT NULL,
    channel_name  TEXT NOT NULL,
    starter       TEXT NOT NULL,
    requested_at  INTEGER NOT NULL,
    first_request TEXT NOT NULL,
    round         INTEGER NOT NULL,
    wake_at       INTEGER,
    body          TEXT NOT NULL
) STRICT;
CREATE INDEX meetings_by_age ON meetings (requested_at, id);
-- With `running` in it, counting reads no row.
CREATE INDEX meetings_running_by_age ON meetings (requested_at, id, running) WHERE running = 1;
CREATE INDEX meetings_running_by_place ON meetings (place, requested_at, id) WHERE running = 1;
CREATE INDEX meetings_by_wake ON meetings (wake_at, id) WHERE wake_at IS NOT NULL;

-- By what a meeting is found: its sessions and its breakout rooms' sessions, everybody's requests, its artifacts.
CREATE TABLE sessions (
    sid     TEXT PRIMARY KEY,
    meeting TEXT NOT NULL REFERENCES meetings (id)
) STRICT, WITHOUT ROWID;
CREATE TABLE requests (
    request TEXT PRIMARY KEY,
    meeting TEXT NOT NULL REFERENCES meetings (id)
) STRICT, WITHOUT ROWID;
CREATE TABLE artifacts (
    artifact TEXT PRIMARY KEY,
    meeting  TEXT NOT NULL REFERENCES meetings (id)
) STRICT, WITHOUT ROWID;

-- Written by chat workers alone.
CREATE TABLE posts (
    meeting        TEXT NOT NULL REFERENCES meetings (id),
    key            TEXT NOT NULL,
    first_tried_at INTEGER,
    post           TEXT,
    posted_at      INTEGER,
    root           TEXT,
    rendered       INTEGER NOT NULL,
    answered       INTEGER NOT NULL CHECK (answered IN (0, 1)),
    frozen         TEXT,
    tidy_at        INTEGER,
    outside_since  INTEGER,
    PRIMARY KEY (meeting, key)
) STRICT, WITHOUT ROWID;

-- Which events have come, so that a double is known.
CREATE TABLE seen (
    source  TEXT NOT NULL,
    key     TEXT NOT NULL,
    event   TEXT NOT NULL,
    content BLOB NOT NULL,
    meeting TEXT,
    at      INTEGER NOT NULL,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_age ON seen (at);

-- One line for each event that was applied, for people.
CREATE TABLE events (
    line        INTEGER PRIMARY KEY,
    event       TEXT NOT NULL,
    meeting     TEXT,
    kind        TEXT NOT NULL,
    source      TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    applied_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_meeting ON events (meeting) WHERE meeting IS NOT NULL;
CREATE INDEX events_by_age ON events (applied_at);

-- Jobs and messages given up, kept for a person.
CREATE TABLE dead_letters (
    id        TEXT PRIMARY KEY,
    queue     TEXT NOT NULL,
    kind      TEXT NOT NULL,
    meeting   TEXT,
    reason    TEXT NOT NULL,
    buried_at INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    body      BLOB NOT NULL
) STRICT;
CREATE INDEX dead_letters_by_age ON dead_letters (buried_at, id);

-- How often work on a redelivered message has begun without a verdict.
CREATE TABLE marks (
    line    INTEGER PRIMARY KEY,
    message TEXT NOT NULL UNIQUE,
    begun   INTEGER NOT NULL
) STRICT;

-- Small values that outlive the process.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
