-- Notices: posts that can be neither edited nor looked up. How often one was, or may have been, posted, and when it is
-- posted once more.
ALTER TABLE posts ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN again_at INTEGER;
