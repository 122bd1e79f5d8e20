-- Programs that wait for a person to say that they may have a token.
CREATE TABLE device_logins (
    digest TEXT PRIMARY KEY,
    code_digest TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL,
    address TEXT NOT NULL,
    permissions BIGINT NOT NULL,
    lifetime BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- How long to wait between two polls, and when the last one was.
    poll_interval BIGINT NOT NULL,
    polled_at BIGINT NOT NULL,
    -- pending, approved or denied.
    state TEXT NOT NULL,
    -- Who approved it, and in which organisation.
    user_id TEXT NOT NULL,
    org_id TEXT NOT NULL
);
CREATE INDEX device_logins_by_end ON device_logins (expires_at)
