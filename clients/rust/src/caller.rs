//! Who a call is made for.

use std::time::SystemTime;

use http::HeaderMap;
use proto::tenant::v1::{Assertion, Permission};
use tonic::{Request, Status};

use crate::Key;

/// The metadata key of a signed assertion.
pub const ASSERTION_HEADER: &str = "weft-assertion-bin";

/// The verified caller of an RPC.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// The organisation whose data the call is about.
    pub org_id: String,
    /// Who acts, for logs.
    pub subject: String,
    permissions: Vec<i32>,
}

impl Caller {
    pub(crate) fn from_assertion(assertion: Assertion) -> Self {
        Caller {
            org_id: assertion.org_id,
            subject: assertion.subject,
            permissions: assertion.permissions,
        }
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
    mut request: Request<T>,
    key: &Key,
    org_id: &str,
    subject: &str,
    permissions: &[Permission],
) -> Request<T> {
    let assertion = Assertion {
        org_id: org_id.to_owned(),
        subject: subject.to_owned(),
        permissions: permissions.iter().map(|&p| i32::from(p)).collect(),
        expires_at: None,
    };
    let mut headers = HeaderMap::new();
    headers.insert(ASSERTION_HEADER, key.sign(assertion, SystemTime::now()));
    request.metadata_mut().as_mut().extend(headers);
    request
}
