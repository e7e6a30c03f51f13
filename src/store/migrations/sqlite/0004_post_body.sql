-- A post's row as one JSON text, like a meeting's: `body` is the whole row, `post` a copy of what is searched.
ALTER TABLE posts RENAME TO posts_before;
DROP INDEX posts_by_post;
CREATE TABLE posts (
    meeting TEXT NOT NULL REFERENCES meetings (id),
    key     TEXT NOT NULL,
    body    TEXT NOT NULL,
    post    TEXT GENERATED ALWAYS AS (body ->> 'post') VIRTUAL,
    PRIMARY KEY (meeting, key)
) STRICT, WITHOUT ROWID;
INSERT INTO posts (meeting, key, body)
SELECT meeting, key, json_object(
    'first_tried_at', first_tried_at, 'post', post, 'posted_at', posted_at, 'root', root, 'rendered', rendered,
    'answered', json(iif(answered, 'true', 'false')), 'frozen', frozen, 'tidy_at', tidy_at,
    'outside_since', outside_since, 'sent', sent, 'again_at', again_at)
FROM posts_before;
DROP TABLE posts_before;
CREATE INDEX posts_by_post ON posts (post) WHERE post IS NOT NULL;
