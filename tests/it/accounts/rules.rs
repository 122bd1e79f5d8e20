//! What members may do by their roles, and what persons do with invitations and tokens.

use anyhow::{Context, ensure};
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use proto::users::v1::users_service_client::UsersServiceClient;
use tests::Sandbox;
use tonic::{Code, Status};

use super::{admin, ask, bearing, channel, everywhere, report, token};

const ALL: &str = "view,view-secrets,report,control,exec,logs,admin,host-exec";

fn code<T>(result: Result<T, Status>) -> Code {
    result.map_or_else(|status| status.code(), |_| Code::Ok)
}

/// What each role gets when it asks over HTTP; 400 is what a control of no probe is answered with.
#[tokio::test]
async fn roles_get_what_they_may() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        admin(weft, "org create amber").await?;
        admin(weft, "member set amber boss@a.example --role admin").await?;
        for (role, view, stop, exec, host, logs, post) in [
            ("viewer", 200, 403, 403, 403, 403, 403),
            ("editor", 200, 400, 400, 403, 400, 403),
            ("admin", 200, 400, 400, 400, 400, 200),
            ("custom --permission logs", 403, 403, 403, 403, 400, 403),
        ] {
            admin(
                weft,
                &format!("member set amber one@a.example --role {role}"),
            )
            .await?;
            // A token may list more than its owner may do: what counts is what both may.
            let (secret, _) = token(
                weft,
                &format!("amber t --permissions {ALL} --for one@a.example"),
            )
            .await?;
            let bearer = format!("Bearer {secret}");
            let headers = [("authorization", bearer.as_str())];
            for (method, path, expected) in [
                ("GET", "/api/topology", view),
                ("POST", "/api/control/p/n/docker_stop_container", stop),
                ("POST", "/api/control/p/n/docker_exec_container", exec),
                ("POST", "/api/control/p/n/host_exec", host),
                ("POST", "/api/control/p/n/host%5Fexec", host),
                ("POST", "/api/control/p/n/kubernetes_get_logs", logs),
            ] {
                let status = ask(&weft.address, method, path, &headers, "").await?.status;
                ensure!(status == expected, "{role}: {method} {path}: {status}");
            }
            let posted = report(&weft.address, &secret, "{}").await?;
            ensure!(posted == post, "{role} posts a report: {posted}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn invitations_are_accepted_by_whom_they_were_sent_to() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        for org in ["amber", "birch"] {
            admin(weft, &format!("org create {org}")).await?;
            admin(
                weft,
                &format!("member set {org} boss@{org}.example --role admin"),
            )
            .await?;
        }
        let (boss, _) = token(
            weft,
            &format!("amber t --permissions {ALL} --for boss@amber.example"),
        )
        .await?;
        let (guest, _) = token(
            weft,
            &format!("birch t --permissions {ALL} --for boss@birch.example"),
        )
        .await?;
        let mut users = UsersServiceClient::new(channel(&weft.address)?);
        let message = pb::SetMemberRequest {
            email: "boss@birch.example".to_owned(),
            role: pb::Role::Viewer.into(),
            permissions: vec![],
        };
        let set = users
            .set_member(bearing(&boss, message)?)
            .await?
            .into_inner();
        ensure!(set.member.is_none(), "nobody becomes a member unasked");
        let invitation_id = set.invitation.context("an invitation")?.id;
        let answer = |accept| pb::AnswerInvitationRequest {
            invitation_id: invitation_id.clone(),
            accept,
        };
        let foreign = users.answer_invitation(bearing(&boss, answer(true))?).await;
        ensure!(code(foreign) == Code::NotFound);
        let received = users
            .list_received_invitations(bearing(&guest, pb::ListReceivedInvitationsRequest {})?)
            .await?;
        ensure!(received.into_inner().invitations.len() == 1);
        let accepted = users
            .answer_invitation(bearing(&guest, answer(true))?)
            .await?
            .into_inner();
        ensure!(
            accepted
                .member
                .is_some_and(|member| member.role() == pb::Role::Viewer)
        );
        let again = users
            .answer_invitation(bearing(&guest, answer(true))?)
            .await;
        ensure!(code(again) == Code::NotFound);

        let mut listed = bearing(&guest, pb::GetCurrentUserRequest {})?;
        listed.metadata_mut().insert("weft-org", "amber".parse()?);
        let current = users.get_current_user(listed).await?.into_inner();
        ensure!(
            current.permissions == [i32::from(Permission::View)],
            "{current:?}"
        );
        let own = users
            .list_organisations(bearing(&guest, pb::ListOrganisationsRequest {})?)
            .await?;
        let own: Vec<_> = own
            .into_inner()
            .organisations
            .into_iter()
            .map(|org| org.id)
            .collect();
        ensure!(own == ["amber", "birch"], "{own:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() -> anyhow::Result<()> {
    everywhere(async |weft: &mut Sandbox| {
        admin(weft, "org create amber").await?;
        let (limited, _) = token(weft, "amber limited --permissions view,admin").await?;
        let (_, strong) = token(weft, &format!("amber strong --permissions {ALL}")).await?;
        let mut users = UsersServiceClient::new(channel(&weft.address)?);
        let make = |permission: i32| pb::CreateTokenRequest {
            name: "more".to_owned(),
            permissions: vec![permission],
            ..pb::CreateTokenRequest::default()
        };
        for (permission, expected) in [
            (i32::from(Permission::View), Code::Ok),
            (Permission::Exec.into(), Code::PermissionDenied),
            (Permission::Operate.into(), Code::InvalidArgument),
            (99, Code::InvalidArgument),
        ] {
            let made = users
                .create_token(bearing(&limited, make(permission))?)
                .await;
            ensure!(code(made) == expected, "{permission}");
        }
        let message = pb::RotateTokenRequest {
            token_id: strong,
            overlap: None,
        };
        ensure!(
            code(users.rotate_token(bearing(&limited, message)?).await) == Code::PermissionDenied
        );
        let message = pb::SetMemberRequest {
            email: "friend@a.example".to_owned(),
            role: pb::Role::Admin.into(),
            permissions: vec![],
        };
        ensure!(
            code(users.set_member(bearing(&limited, message)?).await) == Code::PermissionDenied
        );

        let (viewer, own) = token(weft, "amber viewer --permissions view").await?;
        ensure!(
            code(users.create_token(bearing(&viewer, make(1))?).await) == Code::PermissionDenied
        );
        let revoke = pb::RevokeTokenRequest { token_id: own };
        ensure!(
            code(users.revoke_token(bearing(&viewer, revoke)?).await) == Code::PermissionDenied
        );
        let personal = pb::CreateTokenRequest {
            personal: true,
            ..make(1)
        };
        ensure!(
            code(users.create_token(bearing(&viewer, personal)?).await) == Code::PermissionDenied
        );
        let inner = pb::AuthenticateRequest::default();
        ensure!(code(users.authenticate(bearing(&limited, inner)?).await) == Code::Unimplemented);
        Ok(())
    })
    .await
}
