//! Callers of every kind: who they are, and with what they prove it.

use std::time::Duration;

use anyhow::{Context, ensure};
use tests::Sandbox;
use tests::collection::until;

use crate::accounts::{admin, ask, get, login, token};

/// The columns of the table, in groups. Sessions and personal tokens: viewer, editor, admin, custom (logs); then sessions of
/// somebody without an organisation and of another one. Tokens of the organisation: with each permission alone.
pub(super) const GROUPS: [&str; 3] = [
    "sessions: viewer, editor, admin, custom, without organisation, of another",
    "personal tokens: viewer, editor, admin, custom",
    "tokens: view, view-secrets, report (a probe's), control, exec, logs, host-exec, admin",
];

const ROLES: [&str; 4] = ["viewer", "editor", "admin", "custom --permission logs"];
const SCOPES: [&str; 8] = [
    "view",
    "view-secrets",
    "report",
    "control",
    "exec",
    "logs",
    "host-exec",
    "admin",
];
const ALL: &str = "view,view-secrets,report,control,exec,logs,admin,host-exec";

/// What a caller sends with each call.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller {
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Caller {
    pub(super) fn bearing(secret: &str) -> Caller {
        Caller {
            headers: vec![("authorization", format!("Bearer {secret}"))],
        }
    }

    /// As a page of ours asks.
    fn logged_in(weft: &Sandbox, cookie: &str) -> Caller {
        let origin = format!("http://{}", weft.address);
        Caller {
            headers: vec![("cookie", cookie.to_owned()), ("origin", origin)],
        }
    }

    fn naming(mut self, org: &str) -> Caller {
        self.headers.push(("weft-org", org.to_owned()));
        self
    }
}

pub(super) struct Callers {
    sessions: Vec<Caller>,
    personal: Vec<Caller>,
    scoped: Vec<Caller>,
}

impl Callers {
    pub(super) async fn prepare(weft: &Sandbox) -> anyhow::Result<Callers> {
        for org in ["amber", "birch"] {
            admin(weft, &format!("org create {org}")).await?;
            let boss = format!("member set {org} boss@{org}.example --role admin");
            admin(weft, &boss).await?;
        }
        let (mut sessions, mut personal, mut scoped) = (Vec::new(), Vec::new(), Vec::new());
        for (n, role) in ROLES.iter().enumerate() {
            // Of different people, because a token may end its person's sessions.
            let email = format!("session{n}@amber.example");
            let cookie = login::logged_in(weft, "amber", &email).await?;
            admin(weft, &format!("member set amber {email} --role {role}")).await?;
            sessions.push(Caller::logged_in(weft, &cookie));
            let email = format!("token{n}@amber.example");
            admin(weft, &format!("member set amber {email} --role {role}")).await?;
            let of = format!("amber t{n} --permissions {ALL} --for {email}");
            personal.push(Caller::bearing(&token(weft, &of).await?.0));
        }
        let nobody = login::logged_in(weft, "amber", "nobody@amber.example").await?;
        admin(weft, "member remove amber nobody@amber.example").await?;
        sessions.push(Caller::logged_in(weft, &nobody));
        let other = login::logged_in(weft, "birch", "other@birch.example").await?;
        sessions.push(Caller::logged_in(weft, &other).naming("amber"));
        for scope in SCOPES {
            let of = format!("amber {scope} --permissions {scope}");
            scoped.push(Caller::bearing(&token(weft, &of).await?.0));
        }
        Ok(Callers {
            sessions,
            personal,
            scoped,
        })
    }

    pub(super) fn groups(&self) -> [&[Caller]; 3] {
        [&self.sessions, &self.personal, &self.scoped]
    }
}

/// Credentials that are none, or none any more. Sessions last 3 s here.
pub(super) async fn bad(weft: &Sandbox) -> anyhow::Result<Vec<(&'static str, Caller)>> {
    const PATIENCE: Duration = Duration::from_secs(30);
    for org in ["amber", "birch"] {
        admin(weft, &format!("org create {org}")).await?;
    }
    admin(weft, "member set amber ada@amber.example --role admin").await?;
    let full = format!("amber t --permissions {ALL}");
    let personal = format!("{full} --for ada@amber.example");
    let (revoked, id) = token(weft, &full).await?;
    let (revoked_personal, personal_id) = token(weft, &personal).await?;
    let (expired, _) = token(weft, &format!("{full} --expires-in 2s")).await?;
    let (expired_personal, _) = token(weft, &format!("{personal} --expires-in 2s")).await?;
    let (foreign, _) = token(weft, &format!("birch t --permissions {ALL}")).await?;
    let old = login::logged_in(weft, "amber", "old@amber.example").await?;
    let out = login::logged_in(weft, "amber", "out@amber.example").await?;
    let headers = [("cookie", out.as_str())];
    let left = ask(&weft.address, "POST", "/api/users/logout", &headers, "").await?;
    ensure!(left.status == 204, "{}", left.status);
    for id in [id, personal_id] {
        admin(weft, &format!("token revoke amber {id}")).await?;
    }
    for secret in [&revoked, &revoked_personal, &expired, &expired_personal] {
        until("a token is refused", PATIENCE, async || {
            let answer = get(&weft.address, "/api/topology", secret).await?;
            Ok(answer.status == 401)
        })
        .await?;
    }
    for cookie in [&old, &out] {
        until("a session is refused", PATIENCE, async || {
            let headers = [("cookie", cookie.as_str())];
            let answer = ask(&weft.address, "GET", "/api/topology", &headers, "").await?;
            Ok(answer.status == 401)
        })
        .await?;
    }
    let unknown = revoked.get(..revoked.len() - 1).context("a secret")?;
    Ok(vec![
        ("none", Caller::default()),
        ("nonsense", Caller::bearing("nonsense")),
        ("an unknown token", Caller::bearing(unknown)),
        ("a revoked token", Caller::bearing(&revoked)),
        (
            "a revoked personal token",
            Caller::bearing(&revoked_personal),
        ),
        ("an expired token", Caller::bearing(&expired)),
        (
            "an expired personal token",
            Caller::bearing(&expired_personal),
        ),
        (
            "another organisation's token",
            Caller::bearing(&foreign).naming("amber"),
        ),
        ("an expired session", Caller::logged_in(weft, &old)),
        ("a session that was left", Caller::logged_in(weft, &out)),
    ])
}
