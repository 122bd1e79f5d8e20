-- Browsers in which people are logged in. Rows of sessions that ended are gone.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    digest TEXT NOT NULL UNIQUE,
    method TEXT NOT NULL,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_creation ON sessions (created_at);
CREATE INDEX sessions_by_use ON sessions (last_used_at);
-- Links that log somebody in once. With an organisation, whoever opens one becomes its admin.
CREATE TABLE login_links (
    digest TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    org_id TEXT REFERENCES organisations (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_links_by_email ON login_links (email);
CREATE INDEX login_links_by_end ON login_links (expires_at);
