-- What a person is told who asks why: every event by its id, every attempt at a job, what was done by hand.

-- `line` orders; every settled event has one line now, doubles and foreign ones too.
ALTER TABLE events ADD COLUMN effect TEXT NOT NULL DEFAULT 'applied';
CREATE INDEX events_by_event ON events (event);
CREATE INDEX posts_by_post ON posts (post) WHERE post IS NOT NULL;
CREATE INDEX dead_letters_by_meeting ON dead_letters (meeting) WHERE meeting IS NOT NULL;

CREATE TABLE attempts (
    line     INTEGER PRIMARY KEY,
    meeting  TEXT NOT NULL,
    job      TEXT NOT NULL,
    number   INTEGER NOT NULL,
    queue    TEXT NOT NULL,
    due_at   INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    took_ms  INTEGER NOT NULL,
    ending   TEXT NOT NULL,
    detail   TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_by_meeting ON attempts (meeting, line);
CREATE INDEX attempts_by_age ON attempts (began_at);

CREATE TABLE notes (
    line    INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    meeting TEXT
) STRICT;
CREATE INDEX notes_by_meeting ON notes (meeting) WHERE meeting IS NOT NULL;
CREATE INDEX notes_by_subject ON notes (subject);
CREATE INDEX notes_by_age ON notes (at);
