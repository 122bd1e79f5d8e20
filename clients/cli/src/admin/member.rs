use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use proto::users::v1::users_service_client::UsersServiceClient;
use serde_json::Value;

use super::show::{Shown, member, role};
use super::{Operator, array, names, permission, present};

#[derive(Debug, Subcommand)]
pub(super) enum Member {
    /// List an organisation's members
    List {
        /// The organisation
        org: String,
    },
    /// Make a person a member, with an account if there is none, or change what a member may do
    Set {
        /// The organisation
        org: String,
        /// The person's e-mail address
        email: String,
        /// What the person may do
        #[arg(long)]
        role: Role,
        /// For --role custom: what the person may do (may be repeated)
        #[arg(long = "permission", value_parser = permission, value_delimiter = ',')]
        permissions: Vec<Permission>,
    },
    /// End a membership
    Remove {
        /// The organisation
        org: String,
        /// The person's e-mail address
        email: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Role {
    /// Sees everything but command lines and environment variables
    Viewer,
    /// Also sees those, runs controls, reads logs, opens terminals in containers
    Editor,
    /// Also opens terminals on hosts, and manages members and tokens
    Admin,
    /// What --permission says
    Custom,
}

impl From<Role> for pb::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => pb::Role::Viewer,
            Role::Editor => pb::Role::Editor,
            Role::Admin => pb::Role::Admin,
            Role::Custom => pb::Role::Custom,
        }
    }
}

pub(super) async fn run(command: Member, operator: &Operator) -> anyhow::Result<Shown> {
    let mut client = UsersServiceClient::new(operator.channel.clone());
    match command {
        Member::List { org } => {
            let all = members(&mut client, operator, &org).await?;
            Ok(table(&all, array(all.iter().map(member))))
        }
        Member::Set {
            org,
            email,
            role,
            permissions,
        } => {
            let message = pb::SetMemberRequest {
                email,
                role: pb::Role::from(role).into(),
                permissions: permissions.into_iter().map(i32::from).collect(),
            };
            let answer = client.set_member(operator.request(&org, message)).await?;
            let set = present(answer.into_inner().member)?;
            let json = member(&set);
            Ok(table(&[set], json))
        }
        Member::Remove { org, email } => {
            let all = members(&mut client, operator, &org).await?;
            let users = all.into_iter().filter_map(|member| member.user);
            let mut users = users.filter(|user| user.email.eq_ignore_ascii_case(&email));
            let user = users.next().context("there is no such member")?;
            let message = pb::RemoveMemberRequest { user_id: user.id };
            client
                .remove_member(operator.request(&org, message))
                .await?;
            Ok(Shown::done(format!(
                "{email} is no member of {org} any more"
            )))
        }
    }
}

async fn members(
    client: &mut UsersServiceClient<client::Channel>,
    operator: &Operator,
    org: &str,
) -> anyhow::Result<Vec<pb::Member>> {
    let request = operator.request(org, pb::ListMembersRequest {});
    Ok(client.list_members(request).await?.into_inner().members)
}

fn table(all: &[pb::Member], json: Value) -> Shown {
    let row = |member: &pb::Member| {
        let user = member.user.clone().unwrap_or_default();
        let permissions = names(&member.permissions).join(",");
        vec![user.email, role(member.role()), permissions, user.id]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    Shown::table(&["EMAIL", "ROLE", "PERMISSIONS", "ID"], &rows, json)
}
