-- Where an event came from. Empty in rows that were written before, whose digests do not cover it.
ALTER TABLE audit ADD COLUMN address TEXT NOT NULL DEFAULT ''
