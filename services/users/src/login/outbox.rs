//! Mails on their way to people, so that nobody waits for a mail server, or learns from how long it takes.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntCounterVec, Opts};
use runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};

use super::config::LoginConfig;
use super::mail::{Mail, Text};
use crate::store::{NewLink, Store};

/// Requests that wait.
const QUEUE: usize = 1000;
/// Mails that are being sent at once.
const AT_ONCE: usize = 8;
/// How long a link works, in milliseconds: 15 minutes.
const LIFETIME: i64 = 15 * 60 * 1000;
/// Links to one address that work at once.
const LINKS: u64 = 5;
/// How long to wait before each further try.
const AGAIN: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
];

/// A mail that somebody is to get.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// A link to log in with, asked for from this address.
    Link { email: String, address: String },
    /// News of an invitation.
    Invitation(Invitation),
}

/// What somebody who was invited is told. No secret: who reads mail to the address logs in as anybody does.
#[derive(Debug)]
pub(crate) struct Invitation {
    pub(crate) email: String,
    /// The organisation's name.
    pub(crate) organisation: String,
    /// Who invites, as far as that is known.
    pub(crate) by: String,
    /// What the person would be.
    pub(crate) role: String,
}

/// Where requests go.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(mpsc::Sender<Wanted>);

impl Outbox {
    /// Whether there was room for it.
    pub(crate) fn put(&self, wanted: Wanted) -> bool {
        self.0.try_send(wanted).is_ok()
    }

    pub(super) fn new(mail: Mail, config: LoginConfig, store: Store, rt: &Runtime) -> Self {
        let (sender, mut waiting) = mpsc::channel(QUEUE);
        let post = Arc::new(Post {
            mail,
            config,
            store,
            outcomes: outcomes(rt),
        });
        let free = Arc::new(Semaphore::new(AT_ONCE));
        let spawner = rt.clone();
        rt.spawn("mails", async move {
            while let Some(wanted) = waiting.recv().await {
                let Ok(permit) = Arc::clone(&free).acquire_owned().await else {
                    return;
                };
                let post = Arc::clone(&post);
                spawner.spawn("a mail", async move {
                    post.serve(&wanted).await;
                    drop(permit);
                });
            }
        });
        Outbox(sender)
    }
}

fn outcomes(rt: &Runtime) -> IntCounterVec {
    let opts = Opts::new(
        "weft_users_mails_total",
        "Mails wanted, by what became of them: sent, failed, or for nobody.",
    );
    let outcomes = IntCounterVec::new(opts, &["outcome"]).expect("a valid metric");
    if let Err(error) = rt.registry.register(Box::new(outcomes.clone())) {
        tracing::error!(%error, "mails are not counted");
    }
    outcomes
}

struct Post {
    mail: Mail,
    config: LoginConfig,
    store: Store,
    outcomes: IntCounterVec,
}

impl Post {
    async fn serve(&self, wanted: &Wanted) {
        let outcome = match wanted {
            Wanted::Link { email, address } => match self.link(email).await {
                Ok(Some(link)) => self.send(link_mail(email, address, &link)).await,
                Ok(None) => "nobody",
                Err(error) => {
                    tracing::warn!(%error, "no link can be made for a mail");
                    "failed"
                }
            },
            Wanted::Invitation(invitation) => match self.config.page("/login") {
                Some(page) => self.send(invitation_mail(invitation, &page)).await,
                None => "failed",
            },
        };
        self.outcomes.with_label_values(&[outcome]).inc();
    }

    /// None for an address that may not log in, or has got links enough.
    async fn link(&self, email: &str) -> Result<Option<String>, crate::Error> {
        let sign_up = self.config.signs_up();
        if !self.store.may_log_in(email, sign_up).await? {
            return Ok(None);
        }
        let link = NewLink::Mail { email };
        let made = self.store.add_link(&link, LIFETIME, LINKS).await?;
        Ok(made.and_then(|(secret, _)| self.config.link(secret.reveal())))
    }

    async fn send(&self, text: Text<'_>) -> &'static str {
        for pause in AGAIN.iter().map(Some).chain([None]) {
            match self.mail.send(&text).await {
                None => return "nobody",
                Some(Ok(())) => return "sent",
                Some(Err(error)) => {
                    tracing::warn!(%error, "the mail server did not take a mail");
                    // It will not do either later: refused, or without TLS.
                    if error.is_permanent() || error.is_client() {
                        return "failed";
                    }
                }
            }
            if let Some(pause) = pause {
                tokio::time::sleep(*pause).await;
            }
        }
        "failed"
    }
}

fn link_mail<'a>(email: &'a str, address: &str, link: &str) -> Text<'a> {
    let body = format!(
        "Open this link to log in. It works once, within 15 minutes:\n\n{link}\n\n\
         It was asked for from {address}. If that was not you, do nothing: without the link nobody gets in.\n"
    );
    Text {
        to: email,
        subject: "Your link to log in to Weft",
        body,
    }
}

fn invitation_mail<'a>(invitation: &'a Invitation, page: &str) -> Text<'a> {
    let Invitation {
        email,
        organisation,
        by,
        role,
    } = invitation;
    let body = format!(
        "{by} invites you to see what runs on the machines of {organisation}, with the role \"{role}\".\n\n\
         Log in as {email} within 7 days, and accept:\n\n{page}\n\n\
         If you do not know what this is about, do nothing: the invitation lapses by itself.\n"
    );
    Text {
        to: email,
        subject: "You are invited to Weft",
        body,
    }
}
