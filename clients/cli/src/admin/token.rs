use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::Subcommand;
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use proto::users::v1::users_service_client::UsersServiceClient;
use serde_json::{Value, json};

use super::show::{Shown, date, token};
use super::{Operator, array, names, permission, present};

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make one. Its secret is shown now and never again
    Create {
        /// The organisation
        org: String,
        /// What it is for
        name: String,
        /// What it may do, separated by commas: view, view-secrets, report, control, exec, logs, admin, host-exec
        #[arg(long = "permissions", value_parser = permission, value_delimiter = ',', default_value = "report")]
        permissions: Vec<Permission>,
        /// When it stops working, from now on, such as 90d [default: never]
        #[arg(long, value_parser = humantime::parse_duration)]
        expires_in: Option<Duration>,
        /// The e-mail address of the member whose personal token it shall be [default: the organisation's]
        #[arg(long = "for")]
        email: Option<String>,
    },
    /// List those that work
    List {
        /// The organisation
        org: String,
    },
    /// Make another that may do the same, and let the old one end a little later
    Rotate {
        /// The organisation
        org: String,
        /// The token's id
        id: String,
        /// How long both work
        #[arg(long, value_parser = humantime::parse_duration, default_value = "1d")]
        overlap: Duration,
    },
    /// End one at once
    Revoke {
        /// The organisation
        org: String,
        /// The token's id
        id: String,
    },
}

pub(super) async fn run(command: Token, operator: &Operator) -> anyhow::Result<Shown> {
    let mut client = UsersServiceClient::new(operator.channel.clone());
    match command {
        Token::Create {
            org,
            name,
            permissions,
            expires_in,
            email,
        } => {
            let expires_at = expires_in.map(|time| SystemTime::now().checked_add(time));
            let expires_at = expires_at
                .map(|at| at.context("that is too long"))
                .transpose()?;
            let message = pb::CreateTokenRequest {
                name,
                permissions: permissions.into_iter().map(i32::from).collect(),
                expires_at: expires_at.map(Into::into),
                personal: false,
                for_email: email.unwrap_or_default(),
            };
            let answer = client.create_token(operator.request(&org, message)).await?;
            let pb::CreateTokenResponse { token, secret } = answer.into_inner();
            Ok(made(&present(token)?, &secret))
        }
        Token::List { org } => {
            let request = operator.request(&org, pb::ListTokensRequest {});
            let all = client.list_tokens(request).await?.into_inner().tokens;
            Ok(table(&all, array(all.iter().map(token))))
        }
        Token::Rotate { org, id, overlap } => {
            let message = pb::RotateTokenRequest {
                token_id: id,
                overlap: Some(overlap.try_into().context("that overlap is too long")?),
            };
            let answer = client.rotate_token(operator.request(&org, message)).await?;
            let pb::RotateTokenResponse { token, secret } = answer.into_inner();
            Ok(made(&present(token)?, &secret))
        }
        Token::Revoke { org, id } => {
            let message = pb::RevokeTokenRequest {
                token_id: id.clone(),
            };
            client.revoke_token(operator.request(&org, message)).await?;
            Ok(Shown::done(format!("{id} is revoked")))
        }
    }
}

fn made(made: &pb::Token, secret: &str) -> Shown {
    let mut shown = table(std::slice::from_ref(made), Value::Null);
    shown.text.push_str("\nKeep this, it is not shown again:\n");
    shown.text.push_str(&format!("{secret}\n"));
    shown.json = json!({ "token": token(made), "secret": secret });
    shown
}

fn table(all: &[pb::Token], json: Value) -> Shown {
    let row = |token: &pb::Token| {
        let used = match date(token.last_used_at.as_ref()) {
            never if never.is_empty() => "never".to_owned(),
            used => used,
        };
        vec![
            token.id.clone(),
            token.name.clone(),
            names(&token.permissions).join(","),
            used,
            date(token.expires_at.as_ref()),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    Shown::table(
        &["ID", "NAME", "PERMISSIONS", "LAST USED", "EXPIRES"],
        &rows,
        json,
    )
}
