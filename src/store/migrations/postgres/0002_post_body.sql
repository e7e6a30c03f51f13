-- A post's row as one JSON text, like a meeting's: `body` is the whole row, `post` a copy of what is searched. The table
-- stays, and with it the rights on it.
ALTER TABLE posts ADD COLUMN body text;
UPDATE posts SET body = json_build_object(
    'first_tried_at', first_tried_at, 'post', post, 'posted_at', posted_at, 'root', root, 'rendered', rendered,
    'answered', answered, 'frozen', frozen, 'tidy_at', tidy_at, 'outside_since', outside_since, 'sent', sent,
    'again_at', again_at)::text;
ALTER TABLE posts
    ALTER COLUMN body SET NOT NULL,
    DROP COLUMN first_tried_at, DROP COLUMN post, DROP COLUMN posted_at, DROP COLUMN root, DROP COLUMN rendered,
    DROP COLUMN answered, DROP COLUMN frozen, DROP COLUMN tidy_at, DROP COLUMN outside_since, DROP COLUMN sent,
    DROP COLUMN again_at;
ALTER TABLE posts ADD COLUMN post text COLLATE "C" GENERATED ALWAYS AS (body::jsonb ->> 'post') STORED;
CREATE INDEX posts_by_post ON posts (post) WHERE post IS NOT NULL;

-- Whatever one worker at a time does, until when: leases of meetings by their ids, and duties by their names. Those that
-- are held stay held.
ALTER TABLE leases RENAME COLUMN meeting TO duty;
INSERT INTO leases (duty, owner, until) SELECT duty, owner, until FROM duties;
DROP TABLE duties;
