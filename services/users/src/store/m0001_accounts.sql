CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
-- Rows of deleted organisations stay, so that their ids are never given to others.
CREATE TABLE organisations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    deleted_at BIGINT,
    refuse_access BOOLEAN NOT NULL,
    refuse_upload BOOLEAN NOT NULL,
    refusal_reason TEXT NOT NULL
);
CREATE TABLE members (
    org_id TEXT NOT NULL REFERENCES organisations (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL,
    permissions BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, user_id)
);
CREATE INDEX members_of_user ON members (user_id);
CREATE TABLE invitations (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organisations (id),
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    permissions BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    UNIQUE (org_id, email)
);
CREATE INDEX invitations_by_email ON invitations (email);
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organisations (id),
    user_id TEXT REFERENCES users (id),
    name TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    permissions BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX tokens_of_org ON tokens (org_id, created_at);
CREATE INDEX tokens_of_user ON tokens (user_id);
-- What edges must forget, in the order in which transactions commit: the row of revocation_position is locked until then.
CREATE TABLE revocations (
    position BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    token_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    org_id TEXT NOT NULL
);
CREATE TABLE revocation_position (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL
);
INSERT INTO revocation_position (id, position) VALUES (1, 0);
