//! Names of container images.

/// Without the registry, where there is one, and without the tag.
pub(crate) fn without_tag(name: &[u8]) -> &[u8] {
    let name = without_registry(name);
    let end = name.iter().position(|&b| b == b':').unwrap_or(name.len());
    &name[..end]
}

/// Without the first of three or more parts.
fn without_registry(name: &[u8]) -> &[u8] {
    let mut slashes = name.iter().enumerate().filter(|(_, b)| **b == b'/');
    match (slashes.next(), slashes.next()) {
        (Some((first, _)), Some(_)) => &name[first + 1..],
        _ => name,
    }
}

/// Whether this is the image of the container that holds a pod's namespaces.
pub(crate) fn is_pause(name: &[u8]) -> bool {
    const PAUSES: [&[u8]; 4] = [
        b"google_containers/pause",
        b"k8s.gcr.io/pause",
        b"registry.k8s.io/pause",
        b"eks/pause",
    ];
    PAUSES
        .iter()
        .any(|pause| name.windows(pause.len()).any(|part| part == *pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_and_tag_are_cut() {
        let check =
            |name: &str, want: &str| assert_eq!(without_tag(name.as_bytes()), want.as_bytes());
        check("nginx", "nginx");
        check("nginx:1.2", "nginx");
        check("org/nginx:1", "org/nginx");
        check("quay.io/org/nginx:1", "org/nginx");
        check("quay.io:5000/org/team/nginx:1", "org/team/nginx");
        check("localhost:5000/nginx", "localhost");
        check("", "");
        assert!(is_pause(b"registry.k8s.io/pause:3.9"));
        assert!(is_pause(b"gcr.io/google_containers/pause-amd64"));
        assert!(!is_pause(b"pause"));
    }
}
