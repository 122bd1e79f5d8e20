//! Logins that failed, in the audit log: few enough that nobody fills the store with them.

use std::time::Duration;

use runtime::{Runtime, Tally};
use tokio::time::sleep;

use crate::Error;
use crate::store::Store;

/// How often it is said how many were counted only.
const COUNTED: Duration = Duration::from_secs(60);

/// The first 20 of a minute that concern one person, or nobody known, are written down each; of the others it is written how
/// many they were.
#[derive(Debug)]
pub(super) struct Failures {
    tally: Tally<String>,
}

impl Failures {
    pub(super) fn start(store: Store, rt: &Runtime) -> Self {
        let tally = Tally::default();
        let counted: Tally<String> = tally.clone();
        rt.spawn("logins that failed", async move {
            loop {
                sleep(COUNTED).await;
                for (user_id, count) in counted.rest() {
                    let detail = format!("and {count} more within a minute");
                    note(&store, &user_id, (&user_id, &detail)).await;
                }
            }
        });
        Failures { tally }
    }

    /// Notes a failure of whoever has this address, if that is known. What is the store's fault is none of theirs.
    pub(super) async fn note(
        &self,
        store: &Store,
        method: &str,
        email: Option<&str>,
        error: &Error,
    ) {
        let theirs = matches!(
            error,
            Error::Unproven(_) | Error::Denied(_) | Error::Exists(_) | Error::Invalid(_)
        );
        if !theirs {
            return;
        }
        let known = match email {
            Some(email) => store.user_by_email(email).await.ok().flatten(),
            None => None,
        };
        // All who are not known count as one: there is no end to them.
        let user_id = known.map_or_else(String::new, |user| user.id);
        if self.tally.lets(&user_id) {
            let target = match user_id.as_str() {
                "" => email.unwrap_or_default(),
                known => known,
            };
            let detail = format!("by {method}: {error}");
            note(store, &user_id, (target, &detail)).await;
        }
    }
}

async fn note(store: &Store, user_id: &str, what: (&str, &str)) {
    let by_nobody = store.by("");
    let noted = by_nobody.note_for(user_id, "login.fail", what);
    if let Err(error) = noted.await {
        tracing::warn!(%error, "a login that failed is not in the audit log");
    }
}
