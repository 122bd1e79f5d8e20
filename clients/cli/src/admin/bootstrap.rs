use clap::Args;
use proto::users::v1 as pb;
use proto::users::v1::operator_service_client::OperatorServiceClient;
use serde_json::json;

use super::Operator;
use super::show::{Shown, date};

#[derive(Debug, Args)]
pub(super) struct Bootstrap {
    /// The organisation whose admin the person becomes
    #[arg(default_value = "local")]
    org: String,
    /// The person's e-mail address [default: given by whoever opens the link, and new here]
    #[arg(long)]
    email: Option<String>,
}

pub(super) async fn run(command: Bootstrap, operator: &Operator) -> anyhow::Result<Shown> {
    let message = pb::CreateBootstrapLinkRequest {
        org_id: command.org.clone(),
        email: command.email.unwrap_or_default(),
    };
    let mut client = OperatorServiceClient::new(operator.channel.clone());
    let made = client
        .create_bootstrap_link(operator.request(&command.org, message))
        .await?
        .into_inner();
    let end = date(made.expires_at.as_ref());
    // What the site is called was not said to users: the path is the same everywhere.
    let link = match made.url.as_str() {
        "" => format!("/login#{} on your site", made.secret),
        url => url.to_owned(),
    };
    let mut shown = Shown::done(format!("{link}\nworks once, until {end}"));
    shown.json = json!({ "secret": made.secret, "url": made.url, "expiresAt": end });
    Ok(shown)
}
