//! Two organisations that try to get at each other's data, at random.

use anyhow::ensure;
use proto::query::v1 as query;
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::users::v1 as users;
use proto::users::v1::users_service_client::UsersServiceClient;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tests::{Sandbox, Topology};

use super::{admin, ask, bearing, channel, report, token};
use crate::tenants;

/// Requests of both together. `WEFT_REQUESTS` asks for more.
const REQUESTS: usize = 3000;
const ORGS: [&str; 2] = ["amber", "birch"];
const METHODS: [&str; 4] = ["GET", "GET", "POST", "DELETE"];
const HEADERS: [&str; 5] = [
    "x-scope-orgid",
    "weft-org",
    "x-scope-userid",
    "weft-assertion-bin",
    "x-scope-probe-id",
];

/// An organisation with all that it has.
struct Tenant {
    org: &'static str,
    /// A token with every permission.
    secret: String,
    token_id: String,
    user_id: String,
}

async fn tenant(weft: &Sandbox, org: &'static str) -> anyhow::Result<Tenant> {
    admin(weft, &format!("org create {org}")).await?;
    let email = format!("secret-of-{org}@team.example");
    let member = admin(weft, &format!("member set {org} {email} --role admin")).await?;
    let all = "view,view-secrets,report,control,exec,logs,admin,host-exec";
    let (secret, token_id) =
        token(weft, &format!("{org} secret-of-{org} --permissions {all}")).await?;
    ensure!(report(&weft.address, &secret, &tenants::report(org, 1)).await? == 200);
    Ok(Tenant {
        org,
        secret,
        token_id,
        user_id: member["userId"].as_str().unwrap_or_default().to_owned(),
    })
}

/// A path over HTTP.
fn path(random: &mut StdRng, other: &Tenant) -> String {
    let rests = [
        "/api/topology".to_owned(),
        "/api/topology/hosts".to_owned(),
        "/api/topology/processes/h;1".to_owned(),
        "/api/topology/containers/c;<container>"
            .replace('<', "%3C")
            .replace('>', "%3E"),
        "/api/report".to_owned(),
        "/api/probes".to_owned(),
        "/api/control/1/c;x/docker_stop_container".to_owned(),
        "/api/control/p/n/host%5Fexec".to_owned(),
        "/api/pipe/pipe-1/check".to_owned(),
        "/api/pipe/pipe-1".to_owned(),
    ];
    let rest = rests.choose(random).map_or("/api", String::as_str);
    match random.random_range(0..5) {
        0 => format!("/api/app/{}{rest}", other.org),
        1 => format!("/api/app/{}/..{rest}", other.org),
        2 => format!("/api/app/{}%2f{rest}", other.org),
        3 => format!("/api/app/{}/{rest}", other.org.to_uppercase()),
        _ => rest.to_owned(),
    }
}

/// What one learns by asking about the other over gRPC, as text.
async fn call(
    random: &mut StdRng,
    weft: &Sandbox,
    own: &Tenant,
    other: &Tenant,
) -> anyhow::Result<String> {
    let mut users = UsersServiceClient::new(channel(&weft.address)?);
    let mut query = QueryServiceClient::new(channel(&weft.address)?);
    fn within<T>(
        other: &Tenant,
        named: bool,
        mut request: tonic::Request<T>,
    ) -> anyhow::Result<tonic::Request<T>> {
        if named {
            request
                .metadata_mut()
                .insert("weft-org", other.org.parse()?);
        }
        Ok(request)
    }
    let named = random.random_bool(0.5);
    macro_rules! text {
        ($client:ident . $call:ident ($message:expr)) => {
            format!(
                "{:?}",
                $client
                    .$call(within(other, named, bearing(&own.secret, $message)?)?)
                    .await
                    .map(|a| a.into_inner())
            )
        };
    }
    Ok(match random.random_range(0..9) {
        0 => text!(users.list_members(users::ListMembersRequest {})),
        1 => text!(users.list_tokens(users::ListTokensRequest {})),
        2 => text!(users.revoke_token(users::RevokeTokenRequest {
            token_id: other.token_id.clone()
        })),
        3 => text!(users.rotate_token(users::RotateTokenRequest {
            token_id: other.token_id.clone(),
            overlap: None
        })),
        4 => text!(users.remove_member(users::RemoveMemberRequest {
            user_id: other.user_id.clone()
        })),
        5 => text!(users.delete_organisation(users::DeleteOrganisationRequest {
            org_id: other.org.to_owned()
        })),
        6 => text!(users.list_organisations(users::ListOrganisationsRequest {})),
        7 => text!(query.search(query::SearchRequest {
            query: "secret".to_owned(),
            ..query::SearchRequest::default()
        })),
        _ => text!(query.get_topology(query::GetTopologyRequest {
            topology_id: "processes".to_owned(),
            ..query::GetTopologyRequest::default()
        })),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_learn_nothing_of_each_other() -> anyhow::Result<()> {
    let weft = Sandbox::strict(Topology::Direct, None).await?;
    let tenants = [tenant(&weft, ORGS[0]).await?, tenant(&weft, ORGS[1]).await?];
    let requests = std::env::var("WEFT_REQUESTS")
        .ok()
        .and_then(|n| n.parse().ok());
    let requests: usize = requests.unwrap_or(REQUESTS);
    let mut random = StdRng::seed_from_u64(1);
    let (mut own_seen, mut bytes) = (0, 0);
    for n in 0..requests {
        let (own, other) = if random.random_bool(0.5) {
            (0, 1)
        } else {
            (1, 0)
        };
        let (own, other) = (&tenants[own], &tenants[other]);
        let (asked, seen) = if random.random_bool(0.4) {
            (
                "a call".to_owned(),
                call(&mut random, &weft, own, other).await?,
            )
        } else {
            let path = path(&mut random, other);
            let method = METHODS.choose(&mut random).unwrap_or(&"GET");
            let bearer = format!("Bearer {}", own.secret);
            let forged = HEADERS.choose(&mut random).unwrap_or(&"x-scope-orgid");
            let headers = [("authorization", bearer.as_str()), (*forged, other.org)];
            let answer = ask(&weft.address, method, &path, &headers, "").await?;
            (format!("{method} {path}"), answer.text())
        };
        let leak = format!("secret-of-{}", other.org);
        ensure!(
            !seen.contains(&leak),
            "request {n}, {asked}: {} sees {}",
            own.org,
            other.org
        );
        own_seen += usize::from(seen.contains(&format!("secret-of-{}", own.org)));
        bytes += seen.len();
    }
    ensure!(
        own_seen > requests / 20,
        "{own_seen} answers had anything in them: this proves nothing"
    );
    for tenant in &tenants {
        let status = report(&weft.address, &tenant.secret, "{}").await?;
        ensure!(status == 200, "{} lost its token: {status}", tenant.org);
    }
    println!(
        "{requests} requests, {bytes} bytes of answers, {own_seen} with own data, none with the other's"
    );
    Ok(())
}
