//! Who may do what with a pipe.

use client::Caller;
use proto::pipes::v1::End;
use proto::storage::v1::PipePlace;
use proto::tenant::v1::Permission;

use crate::error::PipeError;

/// What a pipe was announced with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// What users need to attach.
    pub(crate) permission: Permission,
    /// Who opened it; empty if that is not known.
    pub(crate) opener: String,
}

impl Access {
    pub(crate) fn of(place: &PipePlace) -> Self {
        Access {
            permission: place.permission(),
            opener: place.opener.clone(),
        }
    }

    /// What this end needs.
    pub(crate) fn needed(&self, end: End) -> Permission {
        match end {
            End::Probe => Permission::Report,
            End::User | End::Unspecified => self.permission,
        }
    }

    /// Whether this caller may write, and not only watch: a shell that two people type into runs what neither meant.
    pub(crate) fn may_write(&self, caller: &Caller) -> bool {
        self.opener.is_empty() || self.opener == caller.subject
    }

    pub(crate) fn check_write(&self, caller: &Caller) -> Result<(), PipeError> {
        if self.may_write(caller) {
            Ok(())
        } else {
            Err(PipeError::WatchOnly)
        }
    }
}
