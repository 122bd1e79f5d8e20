//! What somebody tries who wants to know or to touch what is another organisation's.

use std::time::Duration;

use bytes::Bytes;
use client::Channel;
use http_body_util::Full;
use proto::controls::v1 as controls;
use proto::controls::v1::controls_service_client::ControlsServiceClient;
use proto::pipes::v1 as pipes;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use proto::query::v1 as query;
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::users::v1 as users;
use proto::users::v1::users_service_client::UsersServiceClient;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tests::Sandbox;
use tests::http::Connection;
use tokio::time::timeout;
use tonic::{Response, Status, Streaming};

use super::tenant::{PIPE, PROBE, Tenant};
use crate::accounts::bearing;

const METHODS: [&str; 4] = ["GET", "GET", "POST", "DELETE"];
const HEADERS: [&str; 5] = [
    "x-scope-orgid",
    "weft-org",
    "x-scope-userid",
    "weft-assertion-bin",
    "x-scope-probe-id",
];
/// A stream that says nothing for so long will not.
const SILENCE: Duration = Duration::from_millis(200);

pub(super) struct Attacker<'a> {
    pub(super) own: &'a Tenant,
    pub(super) other: &'a Tenant,
    http: Connection,
    channel: Channel,
    /// Numbers what is typed.
    typed: u64,
    writer: String,
}

/// An answer as text.
fn text<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> String {
    format!("{:?}", answer.map(Response::into_inner))
}

/// The first message of a stream as text.
async fn first<T: std::fmt::Debug>(
    opened: Result<Response<Streaming<T>>, Status>,
    messages: usize,
) -> String {
    let mut all = String::new();
    match opened {
        Err(status) => all = format!("{status:?}"),
        Ok(answer) => {
            let mut stream = answer.into_inner();
            for _ in 0..messages {
                match timeout(SILENCE, stream.message()).await {
                    Ok(Ok(Some(message))) => all.push_str(&format!("{message:?}")),
                    Ok(Err(status)) => all.push_str(&format!("{status:?}")),
                    Ok(Ok(None)) | Err(_) => break,
                }
            }
        }
    }
    all
}

impl<'a> Attacker<'a> {
    pub(super) fn new(weft: &Sandbox, own: &'a Tenant, other: &'a Tenant) -> Self {
        Attacker {
            own,
            other,
            http: Connection::to(&weft.address),
            channel: weft.channel(),
            typed: 0,
            writer: format!("writer-{:x}", rand::random::<u64>()),
        }
    }

    /// Tries something; what, and what was said to it.
    pub(super) async fn once(&mut self, random: &mut StdRng) -> anyhow::Result<(String, String)> {
        if random.random_bool(0.5) {
            return self.over_http(random).await;
        }
        let named = random.random_bool(0.5);
        let kind = random.random_range(0..4);
        let seen = match kind {
            0 => self.users(random, named).await?,
            1 => self.query(random, named).await?,
            2 => self.controls(random, named).await?,
            _ => self.pipes(random, named).await?,
        };
        let what = ["users", "query", "controls", "pipes"][kind];
        Ok((format!("a call of {what}"), seen))
    }

    async fn over_http(&mut self, random: &mut StdRng) -> anyhow::Result<(String, String)> {
        let path = self.path(random);
        let method = METHODS.choose(random).unwrap_or(&"GET");
        // Its own terminal stays open, so that there is something to see.
        let closes = path.ends_with(PIPE) && *method != "GET";
        let method = if closes { "GET" } else { method };
        let forged = HEADERS.choose(random).unwrap_or(&"x-scope-orgid");
        let request = http::Request::builder()
            .method(method)
            .uri(&path)
            .header("authorization", format!("Bearer {}", self.own.secret))
            .header(*forged, self.other.org);
        let body = format!(r#"{{"who":"from-{}"}}"#, self.own.org);
        let body = if method == "POST" {
            body
        } else {
            String::new()
        };
        let answer = self
            .http
            .send(request.body(Full::new(Bytes::from(body)))?)
            .await?;
        Ok((format!("{method} {path}"), answer.text()))
    }

    /// A path over HTTP.
    fn path(&self, random: &mut StdRng) -> String {
        let rests = [
            "/api/topology".to_owned(),
            "/api/topology/hosts".to_owned(),
            "/api/topology/processes/h;1".to_owned(),
            "/api/topology/containers/c;%3Ccontainer%3E".to_owned(),
            "/api/report".to_owned(),
            "/api/probes".to_owned(),
            format!("/api/control/{PROBE}/c;x/docker_stop_container"),
            format!("/api/control/{PROBE}/n/host%5Fexec"),
            format!("/api/pipe/{PIPE}/check"),
            format!("/api/pipe/{PIPE}"),
        ];
        let rest = rests.choose(random).map_or("/api", String::as_str);
        let other = self.other.org;
        match random.random_range(0..5) {
            0 => format!("/api/app/{other}{rest}"),
            1 => format!("/api/app/{other}/..{rest}"),
            2 => format!("/api/app/{other}%2f{rest}"),
            3 => format!("/api/app/{}/{rest}", other.to_uppercase()),
            _ => rest.to_owned(),
        }
    }

    /// A request that may name the other organisation.
    fn asking<T>(&self, named: bool, message: T) -> anyhow::Result<tonic::Request<T>> {
        let mut request = bearing(&self.own.secret, message)?;
        if named {
            let metadata = request.metadata_mut();
            metadata.insert("weft-org", self.other.org.parse()?);
        }
        Ok(request)
    }

    async fn users(&self, random: &mut StdRng, named: bool) -> anyhow::Result<String> {
        let (other, mut client) = (self.other, UsersServiceClient::new(self.channel.clone()));
        macro_rules! said {
            ($call:ident, $message:expr) => {
                text(client.$call(self.asking(named, $message)?).await)
            };
        }
        let (token_id, user_id) = (other.token_id.clone(), other.user_id.clone());
        Ok(match random.random_range(0..9) {
            0 => said!(list_members, users::ListMembersRequest {}),
            1 => said!(list_tokens, users::ListTokensRequest {}),
            2 => said!(revoke_token, users::RevokeTokenRequest { token_id }),
            3 => said!(
                rotate_token,
                users::RotateTokenRequest {
                    token_id,
                    overlap: None
                }
            ),
            4 => said!(remove_member, users::RemoveMemberRequest { user_id }),
            5 => {
                let org_id = other.org.to_owned();
                said!(
                    delete_organisation,
                    users::DeleteOrganisationRequest { org_id }
                )
            }
            6 => said!(list_organisations, users::ListOrganisationsRequest {}),
            7 => {
                let page = users::ListAuditEventsRequest {
                    before: None,
                    page_size: 20,
                };
                said!(list_audit_events, page)
            }
            _ => {
                let invitation_id = other.invitation_id.clone();
                said!(
                    revoke_invitation,
                    users::RevokeInvitationRequest { invitation_id }
                )
            }
        })
    }

    async fn query(&self, random: &mut StdRng, named: bool) -> anyhow::Result<String> {
        let mut client = QueryServiceClient::new(self.channel.clone());
        let topology_id = "processes".to_owned();
        Ok(match random.random_range(0..3) {
            0 => {
                let search = query::SearchRequest {
                    query: "secret".to_owned(),
                    ..query::SearchRequest::default()
                };
                text(client.search(self.asking(named, search)?).await)
            }
            1 => {
                let watch = query::WatchTopologyRequest {
                    topology_id,
                    ..query::WatchTopologyRequest::default()
                };
                first(client.watch_topology(self.asking(named, watch)?).await, 1).await
            }
            _ => {
                let get = query::GetTopologyRequest {
                    topology_id,
                    ..query::GetTopologyRequest::default()
                };
                text(client.get_topology(self.asking(named, get)?).await)
            }
        })
    }

    async fn controls(&self, random: &mut StdRng, named: bool) -> anyhow::Result<String> {
        let mut client = ControlsServiceClient::new(self.channel.clone());
        if random.random_bool(0.2) {
            let list = controls::ListConnectedProbesRequest {};
            return Ok(text(
                client
                    .list_connected_probes(self.asking(named, list)?)
                    .await,
            ));
        }
        let who = ("who".to_owned(), format!("from-{}", self.own.org));
        let control = ["docker_stop_container", "kubernetes_get_logs"];
        let invoke = controls::InvokeRequest {
            probe_id: PROBE.to_owned(),
            node_id: format!("node-of-{}", self.other.org),
            control: control.choose(random).unwrap_or(&"x").to_string(),
            arguments: [who].into(),
            timeout: None,
        };
        Ok(text(client.invoke(self.asking(named, invoke)?).await))
    }

    async fn pipes(&mut self, random: &mut StdRng, named: bool) -> anyhow::Result<String> {
        let mut client = PipesServiceClient::new(self.channel.clone());
        let pipe_id = PIPE.to_owned();
        Ok(match random.random_range(0..4) {
            0 => {
                let get = pipes::GetPipeRequest { pipe_id };
                text(client.get_pipe(self.asking(named, get)?).await)
            }
            1 => {
                let write = pipes::WriteRequest {
                    pipe_id,
                    data: format!("from-{} ", self.own.org).into(),
                    writer_id: self.writer.clone(),
                    sequence: self.typed + 1,
                };
                let written = client.write(self.asking(named, write)?).await;
                self.typed += u64::from(written.is_ok());
                text(written)
            }
            // With the organisation's own name there would be nothing left to try.
            2 if named => {
                let end = pipes::End::User.into();
                let close = pipes::ClosePipeRequest { pipe_id, end };
                text(client.close_pipe(self.asking(named, close)?).await)
            }
            _ => {
                let read = pipes::ReadRequest {
                    pipe_id,
                    from_offset: 0,
                };
                first(client.read(self.asking(named, read)?).await, 2).await
            }
        })
    }
}
