//! What callers ask for, checked, and what probes answer, cut to size.

use std::time::Duration;

use proto::controls::v1 as pb;
use proto::tenant::v1::Permission;
use tonic::Status;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
/// What a probe may say in an error, or in a name.
const TEXT_BYTES: usize = 4096;
/// What a control may say as JSON: with everything else it fits into a message between replicas.
const VALUE_BYTES: usize = 128 << 10;

/// What a caller must be allowed to do to invoke this control.
pub(crate) fn permission(control: &str) -> Permission {
    match control {
        "host_exec" | "host_resize_exec_tty" => Permission::HostExec,
        "docker_exec_container" | "docker_attach_container" | "docker_resize_exec_tty" => {
            Permission::Exec
        }
        "kubernetes_get_logs" | "kubernetes_describe" => Permission::Logs,
        _ => Permission::Control,
    }
}

pub(crate) fn check(request: &pb::InvokeRequest) -> Result<(), Status> {
    let too_long =
        |what, limit| Status::invalid_argument(format!("the {what} is longer than {limit} bytes"));
    if request.probe_id.len() > 64 {
        return Err(too_long("probe id", 64));
    }
    if request.node_id.len() > 1024 {
        return Err(too_long("node id", 1024));
    }
    if request.control.is_empty() || request.control.len() > 256 {
        return Err(Status::invalid_argument(
            "the control's id must have 1 to 256 bytes",
        ));
    }
    if request.arguments.len() > 32 {
        return Err(Status::invalid_argument("more than 32 arguments"));
    }
    let long = |(k, v): (&String, &String)| k.len() > 64 || v.len() > 4096;
    if request.arguments.iter().any(long) {
        return Err(too_long("argument", 4096));
    }
    Ok(())
}

pub(crate) fn wait(request: &pb::InvokeRequest) -> Result<Duration, Status> {
    let Some(asked) = request.timeout else {
        return Ok(DEFAULT_TIMEOUT);
    };
    Duration::try_from(asked)
        .ok()
        .filter(|t| (TIMEOUTS.0..=TIMEOUTS.1).contains(t))
        .ok_or_else(|| Status::invalid_argument("the timeout must be 0.1 s to 60 s"))
}

/// An answer within its limits.
pub(crate) fn limited(mut result: pb::ControlResult) -> pb::ControlResult {
    if result.value_json.len() > VALUE_BYTES {
        return pb::ControlResult {
            error: format!("the probe's answer is longer than {VALUE_BYTES} bytes; it has acted"),
            ..pb::ControlResult::default()
        };
    }
    for text in [
        &mut result.error,
        &mut result.pipe_id,
        &mut result.resize_tty_control,
        &mut result.removed_node_id,
    ] {
        truncate(text, TEXT_BYTES);
    }
    result
}

pub(crate) fn truncate(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|&i| text.is_char_boundary(i));
        text.truncate(end.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_cut_to_what_fits_between_replicas() {
        let long = |bytes: usize| "ä".repeat(bytes / 2);
        let result = limited(pb::ControlResult {
            error: long(10_000),
            value_json: "1".repeat(VALUE_BYTES),
            ..pb::ControlResult::default()
        });
        assert_eq!(result.error, long(TEXT_BYTES));
        assert_eq!(result.value_json.len(), VALUE_BYTES);
        let result = limited(pb::ControlResult {
            value_json: "1".repeat(VALUE_BYTES + 1),
            ..pb::ControlResult::default()
        });
        assert!(
            result.value_json.is_empty() && result.error.contains("longer"),
            "{result:?}"
        );
    }
}
