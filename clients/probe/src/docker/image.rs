//! Images of containers.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bollard::models::ImageSummary;

use super::bounds::bounded;
use super::human;
use crate::report::Node;

/// One image.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Image {
    name: Option<String>,
    tag: Option<String>,
    size: u64,
    labels: BTreeMap<String, String>,
}

impl From<ImageSummary> for Image {
    fn from(summary: ImageSummary) -> Self {
        let tagged = summary
            .repo_tags
            .iter()
            .find(|tag| !tag.starts_with("<none>"));
        let (name, tag) = tagged.map_or((None, None), |full| match split_tag(full) {
            (name, "") => (Some(name.to_owned()), None),
            (name, tag) => (Some(name.to_owned()), Some(tag.to_owned())),
        });
        let labels = bounded(summary.labels);
        Self {
            name,
            tag,
            size: summary.size.max(0).unsigned_abs(),
            labels,
        }
    }
}

impl Image {
    /// The node of an image of which no more than the id is known.
    pub(super) fn unknown(id: &str) -> Node {
        let mut node = Node::new("container_image");
        node.latest("docker_image_id", SystemTime::now(), id.to_owned());
        node
    }

    pub(super) fn node(&self, id: &str, now: SystemTime) -> Node {
        let mut node = Node::new("container_image");
        node.latest("docker_image_id", now, id.to_owned());
        if let Some(name) = &self.name {
            node.latest("docker_image_name", now, name.clone());
        }
        if let Some(tag) = &self.tag {
            node.latest("docker_image_tag", now, tag.clone());
        }
        let size = human::size(self.size);
        node.latest("docker_image_size", now, size.clone());
        node.latest("docker_image_virtual_size", now, size);
        for (label, value) in &self.labels {
            node.latest(format!("docker_image_label_{label}"), now, value.clone());
        }
        node
    }
}

/// An id without its algorithm.
pub(super) fn bare_id(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

/// The name and the tag of an image reference; the colon of a registry's port does not start a tag.
pub(super) fn split_tag(reference: &str) -> (&str, &str) {
    let reference = reference
        .split_once('@')
        .map_or(reference, |(name, _digest)| name);
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_told_from_ports() {
        for (reference, expected) in [
            ("nginx", ("nginx", "")),
            ("nginx:1.15-alpine", ("nginx", "1.15-alpine")),
            ("localhost:5000/shop/api", ("localhost:5000/shop/api", "")),
            (
                "localhost:5000/shop/api:1.4",
                ("localhost:5000/shop/api", "1.4"),
            ),
            ("redis@sha256:abcd", ("redis", "")),
        ] {
            assert_eq!(split_tag(reference), expected);
        }
    }

    #[test]
    fn untagged_image_has_no_name() {
        let summary = ImageSummary {
            repo_tags: vec!["<none>:<none>".into()],
            size: 361_000_000,
            ..ImageSummary::default()
        };
        let node = Image::from(summary).node("abc", SystemTime::UNIX_EPOCH);
        assert!(!node.latest.contains_key("docker_image_name"));
        assert_eq!(node.latest["docker_image_size"].value, "361 MB");
    }
}
