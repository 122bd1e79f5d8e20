//! Sets of permissions, and the roles that stand for some.

use std::fmt;

use proto::tenant::v1::Permission;
use proto::users::v1 as pb;

use crate::Error;

/// A set of permissions, as a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Permissions(u32);

impl Permissions {
    pub(crate) const NONE: Permissions = Permissions(0);

    /// Whatever a person or token can have: all but [`Permission::Operate`].
    pub(crate) const ALL: Permissions = Permissions::of(&[
        Permission::View,
        Permission::ViewSecrets,
        Permission::Report,
        Permission::Control,
        Permission::Exec,
        Permission::Logs,
        Permission::Admin,
        Permission::HostExec,
    ]);

    pub(crate) const fn of(permissions: &[Permission]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < permissions.len() {
            bits |= 1 << permissions[at] as u32;
            at += 1;
        }
        Permissions(bits)
    }

    /// Those in a message.
    pub(crate) fn parse(permissions: &[i32]) -> Result<Self, Error> {
        let mut parsed = Permissions::NONE;
        for &number in permissions {
            let known = Permission::try_from(number).ok();
            let one = known.map(|known| Permissions::of(&[known]));
            let one = one.filter(|one| one.is_within(Permissions::ALL));
            parsed.0 |= one
                .ok_or(Error::Invalid("there is no such permission to give"))?
                .0;
        }
        Ok(parsed)
    }

    pub(crate) fn to_wire(self) -> Vec<i32> {
        let numbers = 0..32;
        numbers.filter(|n| self.0 & (1 << n) != 0).collect()
    }

    /// As a column holds them. Bits that this version does not know are dropped.
    pub(crate) fn from_column(bits: i64) -> Self {
        Permissions(u32::try_from(bits).unwrap_or(0)) & Permissions::ALL
    }

    pub(crate) fn to_column(self) -> i64 {
        self.0.into()
    }

    pub(crate) fn contains(self, permission: Permission) -> bool {
        Permissions::of(&[permission]).is_within(self)
    }

    pub(crate) fn is_within(self, other: Permissions) -> bool {
        self & other == self
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Permissions::NONE
    }

    pub(crate) fn without(self, other: Permissions) -> Self {
        Permissions(self.0 & !other.0)
    }
}

/// `view, logs`, as operators spell them.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.to_wire().into_iter();
        let known = known.filter_map(|number| Permission::try_from(number).ok());
        let names = known.map(|permission| {
            let name = permission.as_str_name().trim_start_matches("PERMISSION_");
            name.to_lowercase().replace('_', "-")
        });
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}

impl std::ops::BitAnd for Permissions {
    type Output = Permissions;

    fn bitand(self, other: Permissions) -> Permissions {
        Permissions(self.0 & other.0)
    }
}

/// What a member is in an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Viewer,
    Editor,
    Admin,
    Custom(Permissions),
}

/// In words, for the audit log.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Viewer => f.write_str("viewer"),
            Role::Editor => f.write_str("editor"),
            Role::Admin => f.write_str("admin"),
            Role::Custom(permissions) => write!(f, "custom: {permissions}"),
        }
    }
}

impl Role {
    pub(crate) fn permissions(self) -> Permissions {
        const EDITOR: Permissions = Permissions::of(&[
            Permission::View,
            Permission::ViewSecrets,
            Permission::Control,
            Permission::Exec,
            Permission::Logs,
        ]);
        match self {
            Role::Viewer => Permissions::of(&[Permission::View]),
            Role::Editor => EDITOR,
            Role::Admin => Permissions::ALL,
            Role::Custom(permissions) => permissions,
        }
    }

    /// Whether it may give itself whatever it lacks.
    pub(crate) fn is_admin(self) -> bool {
        self.permissions().contains(Permission::Admin)
    }

    pub(crate) fn parse(role: pb::Role, permissions: &[i32]) -> Result<Self, Error> {
        let permissions = Permissions::parse(permissions)?;
        let role = match role {
            pb::Role::Custom if permissions.is_empty() => {
                return Err(Error::Invalid("a custom role needs permissions"));
            }
            pb::Role::Custom => return Ok(Role::Custom(permissions)),
            pb::Role::Unspecified => return Err(Error::Invalid("a role is needed")),
            pb::Role::Viewer => Role::Viewer,
            pb::Role::Editor => Role::Editor,
            pb::Role::Admin => Role::Admin,
        };
        if !permissions.is_empty() {
            return Err(Error::Invalid("only a custom role lists permissions"));
        }
        Ok(role)
    }

    pub(crate) fn to_wire(self) -> pb::Role {
        match self {
            Role::Viewer => pb::Role::Viewer,
            Role::Editor => pb::Role::Editor,
            Role::Admin => pb::Role::Admin,
            Role::Custom(_) => pb::Role::Custom,
        }
    }

    /// As columns hold it. What cannot be understood may do nothing.
    pub(crate) fn from_columns(name: &str, permissions: i64) -> Self {
        match name {
            "viewer" => Role::Viewer,
            "editor" => Role::Editor,
            "admin" => Role::Admin,
            "custom" => Role::Custom(Permissions::from_column(permissions)),
            _ => Role::Custom(Permissions::NONE),
        }
    }

    pub(crate) fn to_columns(self) -> (&'static str, i64) {
        match self {
            Role::Viewer => ("viewer", 0),
            Role::Editor => ("editor", 0),
            Role::Admin => ("admin", 0),
            Role::Custom(permissions) => ("custom", permissions.to_column()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_told_apart_by_what_they_may_do() {
        let check = |role: Role, permission, may| {
            assert_eq!(role.permissions().contains(permission), may, "{role:?}");
        };
        for (permission, viewer, editor) in [
            (Permission::View, true, true),
            (Permission::ViewSecrets, false, true),
            (Permission::Report, false, false),
            (Permission::Control, false, true),
            (Permission::Exec, false, true),
            (Permission::Logs, false, true),
            (Permission::Admin, false, false),
            (Permission::HostExec, false, false),
        ] {
            check(Role::Viewer, permission, viewer);
            check(Role::Editor, permission, editor);
            check(Role::Admin, permission, true);
        }
        for role in [Role::Viewer, Role::Editor, Role::Admin] {
            check(role, Permission::Operate, false);
        }
    }

    #[test]
    fn nobody_is_given_what_only_operators_have() {
        let parse = |p: Permission| Permissions::parse(&[p.into()]);
        assert!(parse(Permission::Operate).is_err());
        assert!(parse(Permission::Unspecified).is_err());
        assert!(Permissions::parse(&[99]).is_err());
        assert!(parse(Permission::HostExec).is_ok());
        let forged = Permissions::from_column(i64::from(u32::MAX));
        assert_eq!(forged, Permissions::ALL);
    }

    #[test]
    fn roles_survive_store_and_wire() {
        let custom = Role::Custom(Permissions::of(&[Permission::View, Permission::Logs]));
        for role in [Role::Viewer, Role::Editor, Role::Admin, custom] {
            let (name, bits) = role.to_columns();
            assert_eq!(Role::from_columns(name, bits), role);
            let listed = match role {
                Role::Custom(permissions) => permissions.to_wire(),
                _ => Vec::new(),
            };
            assert_eq!(Role::parse(role.to_wire(), &listed).ok(), Some(role));
        }
        let unknown = Role::from_columns("owner", -1);
        assert!(unknown.permissions().is_empty());
    }
}
