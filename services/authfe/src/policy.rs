//! What a caller must be allowed to do, for each RPC and each route: one table. What is not in it is not served.
//!
//! Services check again, and finer: which control it is, whose token. This is where refusals can say why, and where nothing
//! that was forgotten gets through.

use axum::http::Method;
use proto::tenant::v1::Permission;
use proto::tenant::v1::Permission::{Admin, Control, Exec, HostExec, Logs, Report, View};

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Nobody from outside: it is for other services.
    Internal,
    /// Everybody.
    Open,
    /// Every caller that is known.
    Known,
    /// Callers with one of these permissions.
    Any(&'static [Permission]),
    /// The same. Who is refused is passed on to the service all the same, which writes down what was asked for and refuses it.
    Recorded(&'static [Permission]),
}

const CONTROLS: Rule = Rule::Recorded(&[Control, Exec, HostExec, Logs]);
const PIPES: Rule = Rule::Any(&[Control, Exec, HostExec, Logs, Report]);

/// All RPCs, as `package.Service` and method.
const RPCS: [(&str, &[(&str, Rule)]); 10] = [
    (
        "collection.v1.CollectionService",
        &[
            ("GetStatus", Rule::Any(&[View])),
            ("ListReports", Rule::Internal),
            ("Submit", Rule::Any(&[Report])),
            ("Subscribe", Rule::Internal),
        ],
    ),
    (
        "controls.v1.ControlsService",
        &[
            ("Connect", Rule::Any(&[Report])),
            ("Invoke", CONTROLS),
            ("ListConnectedProbes", Rule::Any(&[View])),
        ],
    ),
    ("pipes.v1.BridgeService", &[("Bridge", Rule::Internal)]),
    (
        "pipes.v1.PipesService",
        &[
            ("Announce", Rule::Internal),
            ("Attach", PIPES),
            ("ClosePipe", PIPES),
            ("GetPipe", PIPES),
            ("Read", PIPES),
            ("Write", PIPES),
        ],
    ),
    (
        "query.v1.QueryService",
        &[
            ("GetNode", Rule::Any(&[View])),
            ("GetReport", Rule::Any(&[View])),
            ("GetTimeline", Rule::Any(&[View])),
            ("GetTopology", Rule::Any(&[View])),
            ("ListProbes", Rule::Any(&[View])),
            ("ListTopologies", Rule::Any(&[View])),
            ("Search", Rule::Any(&[View])),
            ("UpdateWatch", Rule::Any(&[View])),
            ("Watch", Rule::Any(&[View])),
            ("WatchTopology", Rule::Any(&[View])),
        ],
    ),
    (
        "query.v1.ScopeService",
        &[
            ("GetDocument", Rule::Internal),
            ("WatchDocument", Rule::Internal),
        ],
    ),
    ("users.v1.AuditService", &[("RecordEvents", Rule::Internal)]),
    (
        "users.v1.LoginService",
        &[
            ("EndSession", Rule::Internal),
            ("FinishOidcLogin", Rule::Internal),
            ("FinishPasskeyLogin", Rule::Internal),
            ("GetLoginOptions", Rule::Internal),
            ("OpenLoginLink", Rule::Internal),
            ("PollDeviceLogin", Rule::Internal),
            ("SendLoginLink", Rule::Internal),
            ("StartDeviceLogin", Rule::Internal),
            ("StartOidcLogin", Rule::Internal),
            ("StartPasskeyLogin", Rule::Internal),
        ],
    ),
    (
        "users.v1.OperatorService",
        &[
            ("AddOrganisation", Rule::Internal),
            ("CheckAudit", Rule::Internal),
            ("CreateBootstrapLink", Rule::Internal),
            ("EraseUser", Rule::Internal),
            ("ExportUser", Rule::Internal),
            ("FindOrganisations", Rule::Internal),
            ("RefuseOrganisation", Rule::Internal),
            ("RemoveOrganisation", Rule::Internal),
            ("RestoreOrganisation", Rule::Internal),
        ],
    ),
    (
        "users.v1.UsersService",
        &[
            // Tokens need a permission; users knows which callers are none.
            ("AnswerDeviceLogin", Rule::Known),
            ("AnswerInvitation", Rule::Known),
            ("Authenticate", Rule::Internal),
            ("CreateOrganisation", Rule::Known),
            // Personal ones need no permission but those that they are given.
            ("CreateToken", Rule::Known),
            ("DeleteOrganisation", Rule::Any(&[Admin])),
            ("FinishPasskeyRegistration", Rule::Known),
            ("GetCurrentUser", Rule::Known),
            ("GetDeviceLogin", Rule::Known),
            ("ListAuditEvents", Rule::Any(&[Admin])),
            ("ListInvitations", Rule::Any(&[Admin])),
            ("ListMembers", Rule::Any(&[View, Admin])),
            ("ListOrganisations", Rule::Known),
            ("ListPasskeys", Rule::Known),
            ("ListReceivedInvitations", Rule::Known),
            ("ListSessions", Rule::Known),
            ("ListTokens", Rule::Known),
            // Members may go by themselves.
            ("RemoveMember", Rule::Known),
            ("RemovePasskey", Rule::Known),
            ("RenamePasskey", Rule::Known),
            ("RevokeAllSessions", Rule::Known),
            ("RevokeInvitation", Rule::Any(&[Admin])),
            ("RevokeSession", Rule::Known),
            ("RevokeToken", Rule::Known),
            ("RotateToken", Rule::Known),
            ("SetMember", Rule::Any(&[Admin])),
            ("StartPasskeyRegistration", Rule::Known),
            ("WatchRevocations", Rule::Internal),
        ],
    ),
];

/// The rule of an RPC by its path: `/weft.query.v1.QueryService/Watch`. None if there is no such RPC.
pub(crate) fn rpc(path: &str) -> Option<Rule> {
    // Health and reflection.
    if path.starts_with("/grpc.") {
        return Some(Rule::Open);
    }
    let (service, method) = path.strip_prefix("/weft.")?.split_once('/')?;
    let (_, methods) = RPCS.iter().find(|(name, _)| *name == service)?;
    let found = methods.iter().find(|(name, _)| *name == method);
    found.map(|(_, rule)| *rule)
}

/// The rule of a route of Scope's HTTP API by its raw path, which the router matches too: neither decodes it.
pub(crate) fn route(method: &Method, path: &str) -> Rule {
    let path = match path
        .strip_prefix("/api/app/")
        .and_then(|rest| rest.split_once('/'))
    {
        Some((_, rest)) => rest,
        None => path.trim_start_matches('/'),
    };
    let segments: Vec<&str> = path.split('/').collect();
    match &segments[..] {
        // A probe that is not answered falls silent; what needs a permission is left out of the answer.
        ["api"] => Rule::Open,
        ["api", "users", "login", ..] | ["api", "users", "logout"] => Rule::Open,
        ["api", "report"] if method == Method::POST => Rule::Any(&[Report]),
        ["api", "control", "ws"] => Rule::Any(&[Report]),
        ["api", "control", ..] => CONTROLS,
        ["api", "pipe", _, "probe"] => Rule::Any(&[Report]),
        ["api", "pipe", ..] => PIPES,
        ["api", ..] => Rule::Any(&[View]),
        // The UI's files.
        _ => Rule::Open,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_rpc_has_a_rule_and_every_rule_an_rpc() {
        let set = FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).expect("descriptors");
        let mut contract = BTreeSet::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let (package, service) = (file.package(), service.name());
                    contract.insert(format!("/{package}.{service}/{}", method.name()));
                }
            }
        }
        assert!(contract.len() > 30, "{contract:?}");
        let unruled: Vec<_> = contract.iter().filter(|path| rpc(path).is_none()).collect();
        assert!(unruled.is_empty(), "without a rule: {unruled:?}");
        let table = RPCS.iter().flat_map(|(service, methods)| {
            methods
                .iter()
                .map(move |(method, _)| format!("/weft.{service}/{method}"))
        });
        let gone: Vec<_> = table.filter(|path| !contract.contains(path)).collect();
        assert!(gone.is_empty(), "without an RPC: {gone:?}");
    }

    #[test]
    fn what_is_not_in_the_table_is_not_served() {
        for path in [
            "/weft.query.v1.QueryService/watch",
            "/weft.query.v1.QueryService/Watch/",
            "/weft.query.v1.QueryService//Watch",
            "/weft.query.v1.QueryService%2FWatch",
            "/weft.users.v2.UsersService/Authenticate",
            "/weft.query.v1.QueryService",
            "/",
        ] {
            assert_eq!(rpc(path), None, "{path}");
        }
        for path in [
            "/weft.users.v1.UsersService/Authenticate",
            "/weft.users.v1.OperatorService/AddOrganisation",
            "/weft.query.v1.ScopeService/GetDocument",
        ] {
            assert_eq!(rpc(path), Some(Rule::Internal), "{path}");
        }
    }

    #[test]
    fn routes_need_what_they_do() {
        let check = |method: Method, path: &str, rule: Rule| {
            assert_eq!(route(&method, path), rule, "{path}");
            let prefixed = format!("/api/app/some-org{path}");
            assert_eq!(route(&method, &prefixed), rule, "{prefixed}");
        };
        check(Method::GET, "/api", Rule::Open);
        check(Method::POST, "/api/report", Rule::Any(&[Report]));
        check(Method::GET, "/api/report", Rule::Any(&[View]));
        check(Method::GET, "/api/topology/hosts/ws", Rule::Any(&[View]));
        check(Method::GET, "/api/control/ws", Rule::Any(&[Report]));
        for control in ["host_exec", "host%5Fexec", "host_exec;x", "../ws"] {
            check(
                Method::POST,
                &format!("/api/control/p/n/{control}"),
                CONTROLS,
            );
        }
        check(Method::GET, "/api/pipe/x/probe", Rule::Any(&[Report]));
        check(Method::DELETE, "/api/pipe/x", PIPES);
        check(Method::POST, "/api/users/login/link", Rule::Open);
        check(Method::GET, "/api/users/other", Rule::Any(&[View]));
        check(Method::GET, "/api/", Rule::Any(&[View]));
        assert_eq!(route(&Method::GET, "/index.html"), Rule::Open);
        assert_eq!(route(&Method::GET, "/api/app/x"), Rule::Any(&[View]));
    }
}
