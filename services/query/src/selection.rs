//! Selections from outside: bounded, and censored for callers that may not see secrets.

use client::Caller;
use proto::encoded::query::v1 as pb;
use proto::tenant::v1::Permission;
use report::options::Selection;
use tonic::Status;

use crate::moment;

/// Choices in one selection, and values in one choice.
const CHOICES: usize = 64;
const VALUES: usize = 256;
/// Bytes of an option's id or value.
const TEXT_BYTES: usize = 1024;

/// What is to be shown, checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) selection: Selection,
    /// The moment in Unix nanoseconds; none is now.
    pub(crate) at: Option<i64>,
}

/// Checks a selection and takes from it what this caller may not have.
pub(crate) fn wanted(wanted: Option<pb::Selection>, caller: &Caller) -> Result<Wanted, Status> {
    let wanted = wanted.unwrap_or_default();
    let at = moment::wanted(wanted.at)?;
    if wanted.options.len() > CHOICES {
        return Err(Status::invalid_argument(format!(
            "more than {CHOICES} options are chosen"
        )));
    }
    let mut options = Vec::with_capacity(wanted.options.len());
    for choice in wanted.options {
        let long = choice.values.iter().any(|v| v.len() > TEXT_BYTES);
        if long || choice.values.len() > VALUES || choice.group_id.len() > TEXT_BYTES {
            return Err(Status::invalid_argument(format!(
                "an option has more than {VALUES} values, or one of more than {TEXT_BYTES} bytes"
            )));
        }
        options.push((choice.group_id, choice.values));
    }
    let hide = !caller.may(Permission::ViewSecrets);
    let selection = Selection {
        unfiltered: wanted.unfiltered,
        options,
        hide_command_line_arguments: hide || wanted.hide_command_line_arguments,
        hide_environment_variables: hide || wanted.hide_environment_variables,
    };
    Ok(Wanted { selection, at })
}

/// Fails for ids that no node has.
pub(crate) fn check_node_id(id: &[u8]) -> Result<(), Status> {
    if id.len() <= TEXT_BYTES {
        return Ok(());
    }
    Err(Status::invalid_argument(
        "the node's id is longer than 1 KiB",
    ))
}
