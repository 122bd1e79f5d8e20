//! Rows as messages.

use std::time::{Duration, UNIX_EPOCH};

use prost_types::Timestamp;
use proto::users::v1 as pb;

use crate::permissions::Permissions;
use crate::store::entity::{
    audit, invitations, members, organisations, passkeys, sessions, tokens, users,
};
use crate::store::{Account, Ages, Revocation};

/// Milliseconds since the Unix epoch as a date.
pub(crate) fn timestamp(millis: i64) -> Timestamp {
    let since = Duration::from_millis(millis.max(0).unsigned_abs());
    Timestamp::from(UNIX_EPOCH + since)
}

impl From<users::Model> for pb::User {
    fn from(user: users::Model) -> Self {
        pb::User {
            id: user.id,
            email: user.email,
            name: user.name,
        }
    }
}

/// None if nothing is refused.
pub(crate) fn refusal(organisation: &organisations::Model) -> Option<pb::Refusal> {
    let refused = organisation.refuse_access || organisation.refuse_upload;
    refused.then(|| pb::Refusal {
        access: organisation.refuse_access,
        upload: organisation.refuse_upload,
        reason: organisation.refusal_reason.clone(),
    })
}

impl From<organisations::Model> for pb::Organisation {
    fn from(organisation: organisations::Model) -> Self {
        pb::Organisation {
            created_at: Some(timestamp(organisation.created_at)),
            deleted_at: organisation.deleted_at.map(timestamp),
            refusal: refusal(&organisation),
            id: organisation.id,
            name: organisation.name,
        }
    }
}

pub(crate) fn member(member: members::Model, user: users::Model) -> pb::Member {
    let role = member.role();
    pb::Member {
        user: Some(user.into()),
        role: role.to_wire().into(),
        permissions: role.permissions().to_wire(),
    }
}

impl From<invitations::Model> for pb::Invitation {
    fn from(invitation: invitations::Model) -> Self {
        let role = invitation.role();
        pb::Invitation {
            id: invitation.id,
            org_id: invitation.org_id,
            email: invitation.email,
            role: role.to_wire().into(),
            permissions: role.permissions().to_wire(),
            created_at: Some(timestamp(invitation.created_at)),
            expires_at: Some(timestamp(invitation.expires_at)),
        }
    }
}

impl From<tokens::Model> for pb::Token {
    fn from(token: tokens::Model) -> Self {
        pb::Token {
            id: token.id,
            name: token.name,
            permissions: Permissions::from_column(token.permissions).to_wire(),
            created_at: Some(timestamp(token.created_at)),
            last_used_at: token.last_used_at.map(timestamp),
            expires_at: token.expires_at.map(timestamp),
            user_id: token.user_id.unwrap_or_default(),
            created_by: token.created_by,
        }
    }
}

/// As seen from the session with the id `current`.
pub(crate) fn session(session: sessions::Model, ages: Ages, current: &str) -> pb::Session {
    pb::Session {
        created_at: Some(timestamp(session.created_at)),
        last_used_at: Some(timestamp(session.last_used_at)),
        expires_at: Some(timestamp(ages.latest_end(&session))),
        current: session.id == current,
        id: session.id,
        method: session.method,
        address: session.address,
        user_agent: session.user_agent,
    }
}

impl From<passkeys::Model> for pb::Passkey {
    fn from(passkey: passkeys::Model) -> Self {
        pb::Passkey {
            id: passkey.id,
            name: passkey.name,
            created_at: Some(timestamp(passkey.created_at)),
            last_used_at: passkey.last_used_at.map(timestamp),
        }
    }
}

/// An account as its person may have it.
pub(crate) fn account(account: Account, ages: Ages) -> pb::ExportedUser {
    let memberships = account.memberships.into_iter().map(|member| {
        let role = member.role();
        pb::ExportedMembership {
            org_id: member.org_id,
            role: role.to_wire().into(),
            permissions: role.permissions().to_wire(),
            created_at: Some(timestamp(member.created_at)),
        }
    });
    let sessions = account.sessions.into_iter();
    let identities = account.identities.into_iter();
    pb::ExportedUser {
        created_at: Some(timestamp(account.user.created_at)),
        user: Some(account.user.into()),
        memberships: memberships.collect(),
        invitations: account.invitations.into_iter().map(Into::into).collect(),
        tokens: account.tokens.into_iter().map(Into::into).collect(),
        sessions: sessions.map(|one| session(one, ages, "")).collect(),
        passkeys: account.passkeys.into_iter().map(Into::into).collect(),
        identities: identities
            .map(|identity| pb::ExportedIdentity {
                issuer: identity.issuer,
                subject: identity.subject,
                created_at: Some(timestamp(identity.created_at)),
            })
            .collect(),
    }
}

impl From<audit::Model> for pb::AuditEvent {
    fn from(event: audit::Model) -> Self {
        pb::AuditEvent {
            position: event.position.unsigned_abs(),
            at: Some(timestamp(event.at)),
            org_id: event.org_id,
            actor: event.actor,
            action: event.action,
            target: event.target,
            detail: event.detail,
            address: event.address,
        }
    }
}

impl From<Revocation> for pb::Revocation {
    fn from(revocation: Revocation) -> Self {
        pb::Revocation {
            token_id: revocation.token_id,
            user_id: revocation.user_id,
            org_id: revocation.org_id,
        }
    }
}
