-- People as OpenID Connect providers know them.
CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_of_user ON identities (user_id);
-- The issuer whose groups made somebody a member, and can end that. Empty for members who were made by people.
ALTER TABLE members ADD COLUMN granted_by TEXT NOT NULL DEFAULT '';
