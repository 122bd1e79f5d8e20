use clap::Subcommand;
use proto::users::v1 as pb;
use proto::users::v1::operator_service_client::OperatorServiceClient;

use super::show::{Shown, date, organisation};
use super::{Operator, array, present};

/// Organisations at once.
const PAGE: u32 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Org {
    /// Make one
    Create {
        /// 1 to 64 characters of a-z, 0-9 and - [default: made up]
        id: Option<String>,
        /// What people see [default: made from the id]
        #[arg(long)]
        name: Option<String>,
    },
    /// List all
    List {
        /// Also those that are deleted
        #[arg(long)]
        deleted: bool,
    },
    /// Delete one; its id stays taken
    Delete {
        /// The organisation
        id: String,
    },
    /// Take a deletion back
    Restore {
        /// The organisation
        id: String,
    },
    /// Refuse one access, upload or both, until it is allowed again
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true)))]
    Refuse {
        /// The organisation
        id: String,
        /// Reading and controlling
        #[arg(long, group = "what")]
        access: bool,
        /// Sending reports
        #[arg(long, group = "what")]
        upload: bool,
        /// What its callers are told
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Allow what was refused
    Allow {
        /// The organisation
        id: String,
    },
}

pub(super) async fn run(command: Org, operator: &Operator) -> anyhow::Result<Shown> {
    let mut client = OperatorServiceClient::new(operator.channel.clone());
    match command {
        Org::Create { id, name } => {
            let message = pb::AddOrganisationRequest {
                org_id: id.unwrap_or_default(),
                name: name.unwrap_or_default(),
            };
            let answer = client
                .add_organisation(operator.request("", message))
                .await?;
            one(&present(answer.into_inner().organisation)?)
        }
        Org::List { deleted } => list(client, operator, deleted).await,
        Org::Delete { id } => {
            let message = pb::RemoveOrganisationRequest { org_id: id.clone() };
            client
                .remove_organisation(operator.request(&id, message))
                .await?;
            Ok(Shown::done(format!(
                "{id} is deleted; `weft admin org restore {id}` takes that back"
            )))
        }
        Org::Restore { id } => {
            let message = pb::RestoreOrganisationRequest { org_id: id.clone() };
            let answer = client
                .restore_organisation(operator.request(&id, message))
                .await?;
            one(&present(answer.into_inner().organisation)?)
        }
        Org::Refuse {
            id,
            access,
            upload,
            reason,
        } => {
            let refusal = pb::Refusal {
                access,
                upload,
                reason,
            };
            refuse(client, operator, id, Some(refusal)).await
        }
        Org::Allow { id } => refuse(client, operator, id, None).await,
    }
}

async fn refuse(
    mut client: OperatorServiceClient<client::Channel>,
    operator: &Operator,
    id: String,
    refusal: Option<pb::Refusal>,
) -> anyhow::Result<Shown> {
    let message = pb::RefuseOrganisationRequest {
        org_id: id.clone(),
        refusal,
    };
    let answer = client
        .refuse_organisation(operator.request(&id, message))
        .await?;
    one(&present(answer.into_inner().organisation)?)
}

async fn list(
    mut client: OperatorServiceClient<client::Channel>,
    operator: &Operator,
    deleted: bool,
) -> anyhow::Result<Shown> {
    let mut all: Vec<pb::Organisation> = Vec::new();
    loop {
        let message = pb::FindOrganisationsRequest {
            after: all.last().map(|last| last.id.clone()).unwrap_or_default(),
            page_size: PAGE,
            deleted,
        };
        let answer = client
            .find_organisations(operator.request("", message))
            .await?;
        let page = answer.into_inner().organisations;
        let more = page.len() == PAGE as usize;
        all.extend(page);
        if !more {
            return Ok(table(&all, array(all.iter().map(organisation))));
        }
    }
}

fn one(found: &pb::Organisation) -> anyhow::Result<Shown> {
    Ok(table(std::slice::from_ref(found), organisation(found)))
}

fn table(all: &[pb::Organisation], json: serde_json::Value) -> Shown {
    let rows: Vec<_> = all.iter().map(row).collect();
    Shown::table(&["ID", "NAME", "CREATED", "STATE"], &rows, json)
}

fn row(organisation: &pb::Organisation) -> Vec<String> {
    let refused = |refusal: &pb::Refusal| match (refusal.access, refusal.upload) {
        (true, true) => "access and upload refused",
        (true, false) => "access refused",
        _ => "upload refused",
    };
    let state = match (&organisation.deleted_at, &organisation.refusal) {
        (Some(_), _) => "deleted",
        (None, Some(refusal)) => refused(refusal),
        (None, None) => "active",
    };
    vec![
        organisation.id.clone(),
        organisation.name.clone(),
        date(organisation.created_at.as_ref()),
        state.to_owned(),
    ]
}
