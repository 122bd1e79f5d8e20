-- Links are only ever added. audit_head is locked by whoever adds one.
CREATE TABLE audit (
    position BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    org_id TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE INDEX audit_of_org ON audit (org_id, position);
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    digest TEXT NOT NULL
);
INSERT INTO audit_head (id, position, digest) VALUES (1, 0, '');
