//! Links on their way to people, so that nobody waits for a mail server, or learns from how long it takes.

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

/// Somebody who wants a link.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) email: String,
    /// Where the request came from.
    pub(super) address: String,
}

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Outbox(mpsc::Sender<Wanted>);

impl Outbox {
    /// Whether there was room for it.
    pub(super) fn put(&self, wanted: Wanted) -> bool {
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
        "Links wanted by mail, by what became of them: sent, failed, or for nobody.",
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
        let outcome = match self.link(wanted).await {
            Ok(Some(link)) => self.send(wanted, &link).await,
            Ok(None) => "nobody",
            Err(error) => {
                tracing::warn!(%error, "no link can be made for a mail");
                "failed"
            }
        };
        self.outcomes.with_label_values(&[outcome]).inc();
    }

    /// None for an address that may not log in, or has got links enough.
    async fn link(&self, wanted: &Wanted) -> Result<Option<String>, crate::Error> {
        let email = wanted.email.as_str();
        let sign_up = self.config.signs_up();
        if !self.store.may_log_in(email, sign_up).await? {
            return Ok(None);
        }
        let link = NewLink::Mail { email };
        let made = self.store.add_link(&link, LIFETIME, LINKS).await?;
        Ok(made.and_then(|(secret, _)| self.config.link(secret.reveal())))
    }

    async fn send(&self, wanted: &Wanted, link: &str) -> &'static str {
        let text = Text {
            to: &wanted.email,
            subject: "Your link to log in to Weft",
            body: body(link, &wanted.address),
        };
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

fn body(link: &str, address: &str) -> String {
    format!(
        "Open this link to log in. It works once, within 15 minutes:\n\n{link}\n\n\
         It was asked for from {address}. If that was not you, do nothing: without the link nobody gets in.\n"
    )
}
