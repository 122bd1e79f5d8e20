use anyhow::Context;
use clap::Subcommand;
use proto::users::v1 as pb;
use proto::users::v1::export_user_response::Part;
use proto::users::v1::operator_service_client::OperatorServiceClient;
use serde_json::{Value, json};

use super::show::{Shown, date, role, token};
use super::{Operator, array, audit, names};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Show everything that is kept of a person, as JSON
    Export {
        /// The person's e-mail address
        email: String,
    },
    /// Erase a person: account, memberships, sessions, tokens, and addresses in the audit log. This cannot be taken back
    Erase {
        /// The person's e-mail address
        email: String,
    },
}

pub(super) async fn run(command: User, operator: &Operator) -> anyhow::Result<Shown> {
    let mut client = OperatorServiceClient::new(operator.channel.clone());
    match command {
        User::Export { email } => {
            let request = operator.request("", pb::ExportUserRequest { email });
            let mut parts = client.export_user(request).await?.into_inner();
            let (mut account, mut events) = (None, Vec::new());
            while let Some(part) = parts.message().await? {
                match part.part {
                    Some(Part::User(user)) => account = Some(user),
                    Some(Part::Event(event)) => events.push(audit::event(&event)),
                    None => {}
                }
            }
            let mut json = exported(&account.context("users told no account")?);
            json["events"] = Value::Array(events);
            let text = format!("{}\n", serde_json::to_string_pretty(&json)?);
            Ok(Shown { text, json })
        }
        User::Erase { email } => {
            let said = email.clone();
            let request = operator.request("", pb::EraseUserRequest { email });
            let erased = client.erase_user(request).await?.into_inner();
            let pb::EraseUserResponse {
                user_id,
                redacted_events,
            } = erased;
            let mut shown = Shown::done(format!(
                "{said} is erased; {redacted_events} events of the audit log know {user_id} alone"
            ));
            shown.json = json!({ "userId": user_id, "redactedEvents": redacted_events });
            Ok(shown)
        }
    }
}

fn exported(account: &pb::ExportedUser) -> Value {
    let user = account.user.clone().unwrap_or_default();
    let memberships = account.memberships.iter().map(|member| {
        json!({
            "orgId": member.org_id,
            "role": role(member.role()),
            "permissions": names(&member.permissions),
            "createdAt": date(member.created_at.as_ref()),
        })
    });
    let invitations = account.invitations.iter().map(|invitation| {
        json!({
            "orgId": invitation.org_id,
            "role": role(invitation.role()),
            "createdAt": date(invitation.created_at.as_ref()),
            "expiresAt": date(invitation.expires_at.as_ref()),
        })
    });
    let sessions = account.sessions.iter().map(|session| {
        json!({
            "method": session.method,
            "address": session.address,
            "userAgent": session.user_agent,
            "createdAt": date(session.created_at.as_ref()),
            "lastUsedAt": date(session.last_used_at.as_ref()),
        })
    });
    let passkeys = account.passkeys.iter().map(|passkey| {
        json!({
            "name": passkey.name,
            "createdAt": date(passkey.created_at.as_ref()),
            "lastUsedAt": date(passkey.last_used_at.as_ref()),
        })
    });
    let identities = account.identities.iter().map(|identity| {
        json!({
            "issuer": identity.issuer,
            "subject": identity.subject,
            "createdAt": date(identity.created_at.as_ref()),
        })
    });
    json!({
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "createdAt": date(account.created_at.as_ref()),
        "memberships": array(memberships),
        "invitations": array(invitations),
        "tokens": array(account.tokens.iter().map(token)),
        "sessions": array(sessions),
        "identities": array(identities),
        "passkeys": array(passkeys),
    })
}
