-- The event by which personal data in a row was erased, which has a digest of what is left. NULL in rows that are as they were
-- written.
ALTER TABLE audit ADD COLUMN redacted_by BIGINT;
CREATE INDEX audit_of_actor ON audit (actor, position);
CREATE INDEX audit_of_target ON audit (target, position)
