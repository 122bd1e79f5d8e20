//! Who a call is made for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use proto::tenant::v1::{Assertion, Permission};
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::Key;

/// The metadata key of a signed assertion.
pub const ASSERTION_HEADER: &str = "weft-assertion-bin";

/// How old a login may be for what changes much.
const RECENT: Duration = Duration::from_secs(15 * 60);

/// The reason in the `google.rpc.ErrorInfo` of what needs a newer login.
pub const LOGIN_TOO_OLD: &str = "LOGIN_TOO_OLD";

/// The verified caller of an RPC.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// The organisation whose data the call is about.
    pub org_id: String,
    /// Who acts, for logs.
    pub subject: String,
    /// Where the call comes from; none if no client is behind it.
    pub address: Option<IpAddr>,
    permissions: Vec<i32>,
    session: Option<Session>,
}

/// A person's session, in which a call is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// When the person logged in.
    pub since: SystemTime,
    /// Whether that was within the last 15 minutes.
    recent: bool,
}

impl Caller {
    pub(crate) fn from_assertion(assertion: Assertion, now: SystemTime) -> Self {
        let session = assertion.authenticated_at.map(|since| {
            // A date that makes no sense is long ago.
            let since = SystemTime::try_from(since).unwrap_or(SystemTime::UNIX_EPOCH);
            let age = now.duration_since(since);
            Session {
                id: assertion.session_id,
                since,
                // Clocks of two machines differ a little.
                recent: age.unwrap_or_else(|ahead| ahead.duration()) <= RECENT,
            }
        });
        Caller {
            org_id: assertion.org_id,
            subject: assertion.subject,
            address: assertion.address.parse().ok(),
            permissions: assertion.permissions,
            session,
        }
    }

    /// Where the call comes from, as text; empty if no client is behind it.
    #[must_use]
    pub fn address_text(&self) -> String {
        self.address.map_or_else(String::new, |ip| ip.to_string())
    }

    /// The session; none for a caller with a token, one from this machine, or another service.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Fails for a session whose person logged in more than 15 minutes ago: for what a stolen session must not do. Other
    /// callers pass.
    ///
    /// # Errors
    /// PERMISSION_DENIED with a `google.rpc.ErrorInfo` whose reason is [`LOGIN_TOO_OLD`].
    pub fn require_recent_login(&self) -> Result<(), Status> {
        if self.session.as_ref().is_none_or(|session| session.recent) {
            return Ok(());
        }
        let age = [("max_age_seconds".to_owned(), RECENT.as_secs().to_string())];
        let details = ErrorDetails::with_error_info(LOGIN_TOO_OLD, "weft", HashMap::from(age));
        Err(Status::with_error_details(
            Code::PermissionDenied,
            "this needs a login that is not older than 15 minutes; log in again",
            details,
        ))
    }

    /// The caller of this request, if it may do what it asks for.
    ///
    /// # Errors
    /// UNAUTHENTICATED without a verified assertion, PERMISSION_DENIED without the permission.
    pub fn of<T>(request: &Request<T>, needs: Permission) -> Result<Caller, Status> {
        let caller = request
            .extensions()
            .get::<Caller>()
            .ok_or_else(|| Status::unauthenticated("the call carries no valid assertion"))?;
        caller.require(needs)?;
        Ok(caller.clone())
    }

    /// Whether the caller has this permission.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&i32::from(permission))
    }

    /// Fails unless the caller has this permission.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    pub fn require(&self, permission: Permission) -> Result<(), Status> {
        if self.may(permission) {
            return Ok(());
        }
        let name = permission.as_str_name();
        Err(Status::permission_denied(format!("this needs {name}")))
    }
}

/// Signs an assertion for this organisation and puts it on the request: for a service that acts on its own.
#[must_use]
pub fn authorise<T>(
    request: Request<T>,
    key: &Key,
    org_id: &str,
    subject: &str,
    permissions: &[Permission],
) -> Request<T> {
    let assertion = Assertion {
        org_id: org_id.to_owned(),
        subject: subject.to_owned(),
        permissions: permissions.iter().map(|&p| i32::from(p)).collect(),
        ..Assertion::default()
    };
    signed(request, key, assertion)
}

/// As [`authorise`], for a service that goes on with what this caller asked it for, and needs these permissions alone.
#[must_use]
pub fn authorise_for<T>(
    request: Request<T>,
    key: &Key,
    caller: &Caller,
    permissions: &[Permission],
) -> Request<T> {
    let assertion = Assertion {
        org_id: caller.org_id.clone(),
        subject: caller.subject.clone(),
        permissions: permissions.iter().map(|&p| i32::from(p)).collect(),
        address: caller.address_text(),
        ..Assertion::default()
    };
    signed(request, key, assertion)
}

fn signed<T>(mut request: Request<T>, key: &Key, assertion: Assertion) -> Request<T> {
    let mut headers = HeaderMap::new();
    headers.insert(ASSERTION_HEADER, key.sign(assertion, SystemTime::now()));
    request.metadata_mut().as_mut().extend(headers);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_need_a_recent_login_and_others_none() {
        let now = SystemTime::now();
        let check = |at: Option<SystemTime>, passes: bool| {
            let assertion = Assertion {
                authenticated_at: at.map(Into::into),
                ..Assertion::default()
            };
            let caller = Caller::from_assertion(assertion, now);
            assert_eq!(caller.require_recent_login().is_ok(), passes, "{at:?}");
            caller
        };
        check(None, true);
        check(Some(now), true);
        check(Some(now - RECENT), true);
        check(Some(now + Duration::from_secs(5)), true);
        check(Some(now + 2 * RECENT), false);
        let stale = check(Some(now - RECENT - Duration::from_secs(1)), false);
        let refused = stale.require_recent_login().expect_err("refused");
        assert_eq!(refused.code(), Code::PermissionDenied);
        let info = refused.get_details_error_info().expect("a reason");
        assert_eq!((&*info.reason, &*info.domain), (LOGIN_TOO_OLD, "weft"));
    }

    #[test]
    fn only_addresses_count_as_such() {
        for (said, known) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("192.0.2.1, or so", ""),
            ("", ""),
        ] {
            let assertion = Assertion {
                address: said.to_owned(),
                ..Assertion::default()
            };
            let caller = Caller::from_assertion(assertion, SystemTime::now());
            assert_eq!(caller.address_text(), known, "{said}");
        }
    }

    #[test]
    fn what_goes_on_for_a_caller_says_who_it_was_and_no_more() {
        let key = Key::generate();
        let caller = Caller {
            org_id: "amber".to_owned(),
            subject: "usr_1".to_owned(),
            address: "192.0.2.1".parse().ok(),
            permissions: vec![Permission::Admin.into(), Permission::Exec.into()],
            session: None,
        };
        let request = authorise_for(Request::new(()), &key, &caller, &[Permission::Exec]);
        let header = request.metadata().as_ref()[ASSERTION_HEADER].clone();
        let known = key.verify(&header, SystemTime::now()).expect("verified");
        assert_eq!(known.address_text(), "192.0.2.1");
        assert_eq!((&*known.org_id, &*known.subject), ("amber", "usr_1"));
        assert!(known.may(Permission::Exec) && !known.may(Permission::Admin));
    }
}
