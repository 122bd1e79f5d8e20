//! `weft login`, `weft whoami` and `weft logout`: a personal token of whoever approves it in a browser (RFC 8628), kept in a
//! file.

mod kept;
mod site;

use std::time::{Duration, SystemTime};

use anyhow::{bail, ensure};
use clap::Args;
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use tokio::time::Instant;
use tonic::Code;
use url::Url;

use crate::admin;
use kept::Kept;
use site::{Polled, Site};

/// What RFC 8628 adds to the interval of a program that polls too often.
const SLOWER: Duration = Duration::from_secs(5);

/// The command line of `weft login`.
#[derive(Debug, Args)]
pub struct Login {
    /// What the Weft is called: https://weft.example
    #[arg(value_parser = site::url)]
    url: Url,

    /// What the token may do; may be repeated
    #[arg(long, value_delimiter = ',', default_value = "view", value_parser = admin::permission)]
    permissions: Vec<Permission>,

    /// How long the token lasts, at most a year
    #[arg(long, default_value = "90d", value_parser = humantime::parse_duration)]
    expires: Duration,

    /// What the token is called, for whoever approves it; `weft on HOST` by default
    #[arg(long)]
    name: Option<String>,
}

/// The command line of `weft logout`.
#[derive(Debug, Args)]
pub struct Logout {
    /// Delete the file, although the token cannot be revoked
    #[arg(long)]
    forget: bool,
}

fn name() -> String {
    let host = rustix::system::uname();
    format!("weft on {}", host.nodename().to_string_lossy())
}

/// Says who is logged in.
///
/// # Errors
/// When nobody is, or Weft cannot be reached or refuses the token.
pub async fn whoami() -> anyhow::Result<()> {
    let kept = Kept::read()?;
    let current = Site::new(&kept.url).current_user(&kept.token).await?;
    println!("{}", who(&kept, &current));
    Ok(())
}

/// Gets a token of whoever approves it in a browser, and keeps it.
///
/// # Errors
/// When Weft cannot be reached or refuses, nobody approves, or the file cannot be used.
pub async fn log_in(login: Login) -> anyhow::Result<()> {
    if let Some(kept) = Kept::find()? {
        bail!("you are logged in at {}; `weft logout` ends that", kept.url);
    }
    let site = Site::new(&login.url);
    let names: Vec<String> = login
        .permissions
        .iter()
        .map(|&one| admin::name(one))
        .collect();
    let started = site
        .start(
            &login.name.unwrap_or_else(name),
            &names.join(" "),
            login.expires,
        )
        .await?;
    println!(
        "Open this in a browser where you are logged in:\n\n  {}\n\nand approve it if it shows the code {}. \
         It waits for {}.",
        started.verification_uri_complete,
        started.user_code,
        humantime::format_duration(Duration::from_secs(started.expires_in)),
    );
    let end = Instant::now() + Duration::from_secs(started.expires_in);
    let mut interval = Duration::from_secs(started.interval.max(1));
    let granted = loop {
        tokio::time::sleep(interval).await;
        match site.poll(&started.device_code).await? {
            Polled::Granted(granted) => break granted,
            Polled::Pending => {}
            Polled::SlowDown => interval += SLOWER,
            Polled::Denied => bail!("it was not approved"),
            Polled::Expired => bail!("nobody approved it in time; begin again"),
        }
        ensure!(
            Instant::now() < end,
            "nobody approved it in time; begin again"
        );
    };
    let lifetime = Duration::from_secs(granted.expires_in);
    let kept = Kept {
        url: login.url,
        token: granted.access_token,
        token_id: granted.token_id,
        scope: granted.scope,
        expires_at: humantime::format_rfc3339_seconds(SystemTime::now() + lifetime).to_string(),
    };
    let path = kept.write()?;
    let current = site.current_user(&kept.token).await?;
    println!(
        "\n{}\nIt is kept in {}.",
        who(&kept, &current),
        path.display()
    );
    Ok(())
}

fn who(kept: &Kept, current: &pb::GetCurrentUserResponse) -> String {
    let email = current.user.as_ref().map_or("", |user| user.email.as_str());
    let org = current
        .organisation
        .as_ref()
        .map_or("", |org| org.id.as_str());
    format!(
        "You are {email} at {} in {org}, with a token for {} until {}.",
        kept.url, kept.scope, kept.expires_at
    )
}

/// Revokes the token, and deletes it.
///
/// # Errors
/// When there is none, or Weft cannot be reached.
pub async fn log_out(logout: &Logout) -> anyhow::Result<()> {
    let kept = Kept::read()?;
    let revoked = Site::new(&kept.url)
        .revoke(&kept.token, &kept.token_id)
        .await;
    match revoked {
        Ok(()) => {}
        // Revoked by somebody, or expired.
        Err(status) if status.code() == Code::Unauthenticated => {}
        Err(_) if logout.forget => {
            eprintln!(
                "The token works until {}, unless somebody revokes it.",
                kept.expires_at
            );
        }
        Err(status) => bail!(
            "the token is not revoked: {}; `weft logout --forget` deletes the file alone",
            status.message()
        ),
    }
    Kept::delete()?;
    println!("Logged out of {}.", kept.url);
    Ok(())
}
