//! An organisation with all that it has: a report, people, tokens, a probe, and a terminal that is open.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{anyhow, ensure};
use futures_util::SinkExt;
use serde_json::json;
use tests::{Sandbox, fake_probe};
use tokio_tungstenite::tungstenite::Message;

use crate::accounts::{admin, ask, report, token};
use crate::tenants;

const ALL: &str = "view,view-secrets,report,control,exec,logs,admin,host-exec";
/// What both call their probe and their terminal.
pub(super) const PROBE: &str = "p";
pub(super) const PIPE: &str = "pipe-1";

pub(super) struct Tenant {
    pub(super) org: &'static str,
    /// A token with every permission.
    pub(super) secret: String,
    pub(super) token_id: String,
    pub(super) user_id: String,
    pub(super) invitation_id: String,
    /// Whose words the probe and the terminal heard.
    heard: Arc<Mutex<Heard>>,
}

#[derive(Debug, Default)]
struct Heard {
    own: usize,
    foreign: Vec<String>,
}

impl Heard {
    /// Callers say in what they ask for and type who they are.
    fn note(&mut self, org: &str, said: &str) {
        if said.contains("from-") && !said.contains(&format!("from-{org}")) {
            self.foreign.push(said.to_owned());
        } else {
            self.own += 1;
        }
    }
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tenant {
    pub(super) async fn open(weft: &Sandbox, org: &'static str) -> anyhow::Result<Tenant> {
        admin(weft, &format!("org create {org}")).await?;
        let email = format!("secret-of-{org}@team.example");
        let member = admin(weft, &format!("member set {org} {email} --role admin")).await?;
        let (secret, token_id) =
            token(weft, &format!("{org} secret-of-{org} --permissions {ALL}")).await?;
        ensure!(report(&weft.address, &secret, &tenants::report(org, 1)).await? == 200);
        let tenant = Tenant {
            org,
            secret,
            token_id,
            user_id: member["userId"].as_str().unwrap_or_default().to_owned(),
            invitation_id: format!("inv_{org}"),
            heard: Arc::default(),
        };
        tenant.answer_controls(weft).await?;
        tenant.open_terminal(weft).await?;
        Ok(tenant)
    }

    async fn answer_controls(&self, weft: &Sandbox) -> anyhow::Result<()> {
        let bearer = format!("Bearer {}", self.secret);
        let headers = [("x-scope-probe-id", PROBE), ("authorization", &bearer)];
        let (org, heard) = (self.org, Arc::clone(&self.heard));
        let answer = move |request: &serde_json::Value| {
            lock(&heard).note(org, &request.to_string());
            match request["Control"].as_str() {
                Some("host_exec") => json!({ "pipe": request["ControlArgs"]["pipe"] }),
                _ => json!({ "value": format!("secret-of-{org}") }),
            }
        };
        fake_probe::controls_with(&weft.address, &headers, answer).await
    }

    /// One that shows a secret, and goes on as long as the connection.
    async fn open_terminal(&self, weft: &Sandbox) -> anyhow::Result<()> {
        let bearer = format!("Bearer {}", self.secret);
        let headers = [("authorization", bearer.as_str())];
        let path = format!("/api/control/{PROBE}/h/host_exec");
        let body = json!({ "pipe": PIPE }).to_string();
        let opened = ask(&weft.address, "POST", &path, &headers, &body).await?;
        ensure!(opened.status == 200, "{}", opened.text());
        let headers = [("x-scope-probe-id", PROBE), ("authorization", &bearer)];
        let path = format!("/api/pipe/{PIPE}/probe");
        let end = fake_probe::open(&weft.address, &path, &headers).await;
        let mut end = end.map_err(|status| anyhow!("the probe's end: {status}"))?;
        let (org, heard) = (self.org, Arc::clone(&self.heard));
        end.send(Message::text(format!("secret-of-{org}\n")))
            .await?;
        tokio::spawn(async move {
            while let Ok(typed) = fake_probe::next(&mut end).await {
                lock(&heard).note(org, &String::from_utf8_lossy(&typed));
            }
        });
        Ok(())
    }

    /// How often its probe and terminal were spoken to; fails if anybody else did.
    pub(super) async fn was_called_by_its_own(&self) -> anyhow::Result<usize> {
        let heard = lock(&self.heard);
        ensure!(
            heard.foreign.is_empty(),
            "{} heard from others: {:?}",
            self.org,
            heard.foreign
        );
        Ok(heard.own)
    }
}
