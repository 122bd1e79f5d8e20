use anyhow::bail;
use clap::Subcommand;
use proto::users::v1 as pb;
use proto::users::v1::operator_service_client::OperatorServiceClient;
use proto::users::v1::users_service_client::UsersServiceClient;
use serde_json::{Value, json};

use super::show::{Shown, date};
use super::{Operator, array};

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// List what was done in an organisation, newest first: changes, logins, controls, terminals
    List {
        /// Without one: what concerns none, such as logins of unknown people that failed
        org: Option<String>,
        /// Events before this one
        #[arg(long)]
        before: Option<u64>,
        /// At most so many, up to 1000
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Check that nothing in the log was changed, taken out or put in
    Check,
}

pub(super) async fn run(command: Audit, operator: &Operator) -> anyhow::Result<Shown> {
    match command {
        Audit::List { org, before, limit } => {
            let message = pb::ListAuditEventsRequest {
                before,
                page_size: limit,
            };
            let mut client = UsersServiceClient::new(operator.channel.clone());
            let answer = client
                .list_audit_events(operator.request(&org.unwrap_or_default(), message))
                .await?;
            Ok(table(&answer.into_inner().events))
        }
        Audit::Check => {
            let request = operator.request("", pb::CheckAuditRequest {});
            let mut client = OperatorServiceClient::new(operator.channel.clone());
            let checked = client.check_audit(request).await?.into_inner();
            let sound = checked.sound;
            if let Some(broken) = checked.broken {
                bail!(
                    "the audit log is broken at position {broken}; the {sound} before it are sound"
                );
            }
            let mut shown = Shown::done(format!("all {sound} events are as they were written"));
            shown.json = json!({ "sound": sound });
            Ok(shown)
        }
    }
}

fn table(events: &[pb::AuditEvent]) -> Shown {
    let row = |event: &pb::AuditEvent| {
        vec![
            event.position.to_string(),
            date(event.at.as_ref()),
            event.actor.clone(),
            event.address.clone(),
            event.action.clone(),
            event.target.clone(),
            event.detail.clone(),
        ]
    };
    let json = array(events.iter().map(event));
    let rows: Vec<_> = events.iter().map(row).collect();
    Shown::table(
        &[
            "POSITION", "AT", "ACTOR", "FROM", "ACTION", "TARGET", "DETAIL",
        ],
        &rows,
        json,
    )
}

pub(super) fn event(event: &pb::AuditEvent) -> Value {
    json!({
        "position": event.position,
        "at": date(event.at.as_ref()),
        "orgId": event.org_id,
        "actor": event.actor,
        "address": event.address,
        "action": event.action,
        "target": event.target,
        "detail": event.detail,
    })
}
