//! The table.
//!
//! A letter is a code: `o` OK, `i` INVALID_ARGUMENT, `n` NOT_FOUND, `f` FAILED_PRECONDITION, `u` UNAVAILABLE, `-`
//! PERMISSION_DENIED, `.` UNIMPLEMENTED, which is how the public port answers for what is for services alone. Whoever gets one of
//! the first five was let in. Columns are those of [`GROUPS`](super::callers::GROUPS).

use prost::Message;
use proto::controls::v1 as controls;
use proto::pipes::v1 as pipes;
use proto::query::v1 as query;
use proto::users::v1 as users;

/// An RPC, what it is asked, and who is answered what.
pub(super) struct Row {
    pub(super) rpc: &'static str,
    pub(super) message: fn() -> Vec<u8>,
    pub(super) expected: [&'static str; 3],
}

const fn row(
    rpc: &'static str,
    message: fn() -> Vec<u8>,
    sessions: &'static str,
    personal: &'static str,
    scoped: &'static str,
) -> Row {
    Row {
        rpc,
        message,
        expected: [sessions, personal, scoped],
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    //                                                                         sessions  personal tokens
    //                                                                         veacno    veac      vsrcxlha
    row("collection.v1.CollectionService/GetStatus",       empty,               "ooo---", "ooo-", "o-------"),
    row("collection.v1.CollectionService/ListReports",     empty,               "......", "....", "........"),
    row("collection.v1.CollectionService/Submit",          empty,               "--i---", "--i-", "--i-----"),
    row("collection.v1.CollectionService/Subscribe",       empty,               "......", "....", "........"),
    row("controls.v1.ControlsService/Connect",             empty,               "--i---", "--i-", "--i-----"),
    row("controls.v1.ControlsService/Invoke",              stop,                "-uu---", "-uu-", "---u----"),
    row("controls.v1.ControlsService/Invoke",              exec,                "-uu---", "-uu-", "----u---"),
    row("controls.v1.ControlsService/Invoke",              logs,                "-uuu--", "-uuu", "-----u--"),
    row("controls.v1.ControlsService/Invoke",              host_exec,           "--u---", "--u-", "------u-"),
    row("controls.v1.ControlsService/ListConnectedProbes", empty,               "ooo---", "ooo-", "o-------"),
    row("pipes.v1.BridgeService/Bridge",                   empty,               "......", "....", "........"),
    row("pipes.v1.PipesService/Announce",                  empty,               "......", "....", "........"),
    row("pipes.v1.PipesService/Attach",                    empty,               "-iii--", "-iii", "--iiiii-"),
    row("pipes.v1.PipesService/ClosePipe",                 close_pipe,          "-ooo--", "-ooo", "--ooooo-"),
    row("pipes.v1.PipesService/GetPipe",                   get_pipe,            "-nnn--", "-nnn", "--nnnnn-"),
    row("pipes.v1.PipesService/Read",                      read,                "-nnn--", "-nnn", "--nnnnn-"),
    row("pipes.v1.PipesService/Write",                     write,               "-nnn--", "-nnn", "--nnnnn-"),
    row("query.v1.QueryService/GetNode",                   get_node,            "nnn---", "nnn-", "n-------"),
    row("query.v1.QueryService/GetReport",                 empty,               "ooo---", "ooo-", "o-------"),
    row("query.v1.QueryService/GetTimeline",               empty,               "iii---", "iii-", "i-------"),
    row("query.v1.QueryService/GetTopology",               get_topology,        "ooo---", "ooo-", "o-------"),
    row("query.v1.QueryService/ListProbes",                empty,               "ooo---", "ooo-", "o-------"),
    row("query.v1.QueryService/ListTopologies",            empty,               "ooo---", "ooo-", "o-------"),
    row("query.v1.QueryService/Search",                    empty,               "ooo---", "ooo-", "o-------"),
    row("query.v1.QueryService/UpdateWatch",               empty,               "nnn---", "nnn-", "n-------"),
    row("query.v1.QueryService/Watch",                     empty,               "ooo---", "ooo-", "o-------"),
    row("query.v1.QueryService/WatchTopology",             watch_topology,      "ooo---", "ooo-", "o-------"),
    row("query.v1.ScopeService/GetDocument",               empty,               "......", "....", "........"),
    row("query.v1.ScopeService/WatchDocument",             empty,               "......", "....", "........"),
    row("users.v1.AuditService/RecordEvents",              empty,               "......", "....", "........"),
    row("users.v1.LoginService/EndSession",                empty,               "......", "....", "........"),
    row("users.v1.LoginService/FinishOidcLogin",           empty,               "......", "....", "........"),
    row("users.v1.LoginService/FinishPasskeyLogin",        empty,               "......", "....", "........"),
    row("users.v1.LoginService/GetLoginOptions",           empty,               "......", "....", "........"),
    row("users.v1.LoginService/OpenLoginLink",             empty,               "......", "....", "........"),
    row("users.v1.LoginService/PollDeviceLogin",           empty,               "......", "....", "........"),
    row("users.v1.LoginService/SendLoginLink",             empty,               "......", "....", "........"),
    row("users.v1.LoginService/StartDeviceLogin",          empty,               "......", "....", "........"),
    row("users.v1.LoginService/StartOidcLogin",            empty,               "......", "....", "........"),
    row("users.v1.LoginService/StartPasskeyLogin",         empty,               "......", "....", "........"),
    row("users.v1.OperatorService/AddOrganisation",        empty,               "......", "....", "........"),
    row("users.v1.OperatorService/CheckAudit",             empty,               "......", "....", "........"),
    row("users.v1.OperatorService/CreateBootstrapLink",    empty,               "......", "....", "........"),
    row("users.v1.OperatorService/EraseUser",              empty,               "......", "....", "........"),
    row("users.v1.OperatorService/ExportUser",             empty,               "......", "....", "........"),
    row("users.v1.OperatorService/FindOrganisations",      empty,               "......", "....", "........"),
    row("users.v1.OperatorService/RefuseOrganisation",     empty,               "......", "....", "........"),
    row("users.v1.OperatorService/RemoveOrganisation",     empty,               "......", "....", "........"),
    row("users.v1.OperatorService/RestoreOrganisation",    empty,               "......", "....", "........"),
    row("users.v1.UsersService/AnswerDeviceLogin",         empty,               "nnnnn-", "----", "--------"),
    row("users.v1.UsersService/AnswerInvitation",          empty,               "nnnnn-", "--n-", "--------"),
    row("users.v1.UsersService/Authenticate",              empty,               "......", "....", "........"),
    row("users.v1.UsersService/CreateOrganisation",        empty,               "iiiii-", "--i-", "--------"),
    row("users.v1.UsersService/CreateToken",               empty,               "--i---", "--i-", "-------i"),
    row("users.v1.UsersService/DeleteOrganisation",        empty,               "--i---", "--i-", "-------i"),
    row("users.v1.UsersService/FinishPasskeyRegistration", empty,               "fffff-", "----", "--------"),
    row("users.v1.UsersService/GetCurrentUser",            empty,               "ooooo-", "oooo", "oooooooo"),
    row("users.v1.UsersService/GetDeviceLogin",            empty,               "nnnnn-", "----", "--------"),
    row("users.v1.UsersService/ListAuditEvents",           empty,               "--o---", "--o-", "-------o"),
    row("users.v1.UsersService/ListInvitations",           empty,               "--o---", "--o-", "-------o"),
    row("users.v1.UsersService/ListMembers",               empty,               "ooo---", "ooo-", "o------o"),
    row("users.v1.UsersService/ListOrganisations",         empty,               "ooooo-", "oooo", "oooooooo"),
    row("users.v1.UsersService/ListPasskeys",              empty,               "ooooo-", "oooo", "--------"),
    row("users.v1.UsersService/ListReceivedInvitations",   empty,               "ooooo-", "oooo", "--------"),
    row("users.v1.UsersService/ListSessions",              empty,               "ooooo-", "oooo", "--------"),
    row("users.v1.UsersService/ListTokens",                empty,               "ooooo-", "oooo", "oooooooo"),
    row("users.v1.UsersService/RemoveMember",              empty,               "--n---", "--n-", "-------n"),
    row("users.v1.UsersService/RemovePasskey",             empty,               "nnnnn-", "----", "--------"),
    row("users.v1.UsersService/RenamePasskey",             empty,               "iiiii-", "----", "--------"),
    row("users.v1.UsersService/RevokeAllSessions",         revoke_all_sessions, "ooooo-", "oooo", "--------"),
    row("users.v1.UsersService/RevokeInvitation",          empty,               "--n---", "--n-", "-------n"),
    row("users.v1.UsersService/RevokeSession",             empty,               "nnnnn-", "nnnn", "--------"),
    row("users.v1.UsersService/RevokeToken",               empty,               "--n---", "--n-", "-------n"),
    row("users.v1.UsersService/RotateToken",               empty,               "--n---", "--n-", "-------n"),
    row("users.v1.UsersService/SetMember",                 empty,               "--i---", "--i-", "-------i"),
    row("users.v1.UsersService/StartPasskeyRegistration",  empty,               "fffff-", "----", "--------"),
    row("users.v1.UsersService/WatchRevocations",          empty,               "......", "....", "........"),
];

fn empty() -> Vec<u8> {
    Vec::new()
}

fn invoke(control: &str) -> Vec<u8> {
    let message = controls::InvokeRequest {
        probe_id: "nowhere".to_owned(),
        control: control.to_owned(),
        ..controls::InvokeRequest::default()
    };
    message.encode_to_vec()
}

fn stop() -> Vec<u8> {
    invoke("docker_stop_container")
}

fn exec() -> Vec<u8> {
    invoke("docker_exec_container")
}

fn logs() -> Vec<u8> {
    invoke("kubernetes_get_logs")
}

fn host_exec() -> Vec<u8> {
    invoke("host_exec")
}

const PIPE: &str = "pipe-none";

fn get_pipe() -> Vec<u8> {
    let pipe_id = PIPE.to_owned();
    pipes::GetPipeRequest { pipe_id }.encode_to_vec()
}

fn close_pipe() -> Vec<u8> {
    let message = pipes::ClosePipeRequest {
        pipe_id: PIPE.to_owned(),
        end: pipes::End::User.into(),
    };
    message.encode_to_vec()
}

fn read() -> Vec<u8> {
    let message = pipes::ReadRequest {
        pipe_id: PIPE.to_owned(),
        from_offset: 0,
    };
    message.encode_to_vec()
}

fn write() -> Vec<u8> {
    let message = pipes::WriteRequest {
        pipe_id: PIPE.to_owned(),
        writer_id: "w".to_owned(),
        sequence: 1,
        ..pipes::WriteRequest::default()
    };
    message.encode_to_vec()
}

fn get_topology() -> Vec<u8> {
    let message = query::GetTopologyRequest {
        topology_id: "hosts".to_owned(),
        ..query::GetTopologyRequest::default()
    };
    message.encode_to_vec()
}

fn watch_topology() -> Vec<u8> {
    let message = query::WatchTopologyRequest {
        topology_id: "hosts".to_owned(),
        ..query::WatchTopologyRequest::default()
    };
    message.encode_to_vec()
}

fn get_node() -> Vec<u8> {
    let message = query::GetNodeRequest {
        topology_id: "hosts".to_owned(),
        node_id: "h;<host>".to_owned(),
        ..query::GetNodeRequest::default()
    };
    message.encode_to_vec()
}

/// One's own session stays.
fn revoke_all_sessions() -> Vec<u8> {
    let keep_current = true;
    users::RevokeAllSessionsRequest { keep_current }.encode_to_vec()
}
