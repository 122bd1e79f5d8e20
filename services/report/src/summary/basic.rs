//! What nodes are called and how they are drawn.

use std::borrow::Cow;

use crate::kind::Kind;
use crate::render::drawn::Drawn;
use crate::render::image_name;
use crate::render::node_id::{self, EndpointId};
use crate::summary::Text;
use crate::summary::summarizer::Summarizer;
use crate::symbol::Sym;

/// The part of a summary that is enough for links.
#[derive(Debug, Clone, Default)]
pub(crate) struct Basic<'a> {
    pub(crate) label: Text<'a>,
    pub(crate) label_minor: Text<'a>,
    pub(crate) rank: Text<'a>,
    pub(crate) shape: &'a [u8],
    pub(crate) tag: &'a [u8],
    pub(crate) stack: bool,
    pub(crate) pseudo: bool,
}

impl<'a> Summarizer<'a> {
    /// `None` if nodes of its topology are never shown.
    pub(crate) fn basic(self, node: &Drawn) -> Option<Basic<'a>> {
        let keys = self.facts.keys;
        if node.topology == keys.pseudo {
            return Some(self.pseudo(node));
        }
        let Some(kind) = keys.kind_of(node.topology) else {
            return self
                .bytes(node.topology)
                .starts_with(b"group:")
                .then(|| self.group(node));
        };
        let labels = match kind {
            Kind::Endpoint => return None,
            Kind::ReplicaSet | Kind::Namespace => self.plain(node),
            Kind::Process => self.process(node),
            Kind::Container => self.container(node),
            Kind::ContainerImage => self.container_image(node),
            Kind::Pod => self.counted(node, Kind::Container, ""),
            Kind::Service => self.counted(node, Kind::Pod, ""),
            Kind::Deployment => self.counted(node, Kind::Pod, "Deployment of "),
            Kind::DaemonSet => self.counted(node, Kind::Pod, "DaemonSet of "),
            Kind::StatefulSet => self.counted(node, Kind::Pod, "StatefulSet of "),
            Kind::CronJob => self.counted(node, Kind::Pod, "CronJob of "),
            Kind::Job => self.counted(node, Kind::Pod, "Job of "),
            Kind::EcsTask => self.named(node, keys.ecs_task_family, "ecs_task"),
            Kind::SwarmService => self.named(node, keys.service_name, "swarm_service"),
            Kind::EcsService => self.ecs_service(node),
            Kind::Host => self.host(node),
            Kind::Overlay => self.overlay(node),
            Kind::PersistentVolume
            | Kind::PersistentVolumeClaim
            | Kind::StorageClass
            | Kind::VolumeSnapshot
            | Kind::VolumeSnapshotData => self.kubernetes(node),
        };
        let templates = self.templates.kind(kind);
        Some(Basic {
            shape: self.bytes(templates.shape),
            tag: self.bytes(templates.tag),
            stack: matches!(
                kind,
                Kind::ContainerImage
                    | Kind::Service
                    | Kind::Deployment
                    | Kind::DaemonSet
                    | Kind::StatefulSet
                    | Kind::CronJob
                    | Kind::Job
                    | Kind::EcsService
            ),
            ..labels
        })
    }

    fn fact(self, node: &Drawn, key: Sym) -> &'a [u8] {
        self.bytes(self.facts.latest(node, key).unwrap_or_default())
    }

    fn plain(self, node: &Drawn) -> Basic<'a> {
        Basic {
            label: self.bytes(node.id).into(),
            ..Basic::default()
        }
    }

    fn pseudo(self, node: &Drawn) -> Basic<'a> {
        let id = self.bytes(node.id);
        let short = id.strip_prefix(b"pseudo:").unwrap_or(id);
        let (label, minor, shape, stack): (&[u8], &[u8], &[u8], bool) =
            if node.id == self.facts.keys.in_internet {
                (b"The Internet", b"Inbound connections", b"cloud", false)
            } else if node.id == self.facts.keys.out_internet {
                (b"The Internet", b"Outbound connections", b"cloud", false)
            } else if let Some(service) = id.strip_prefix(b"service-") {
                (service, b"", b"cloud", false)
            } else if let Some(host) = short_of(id, short, b"uncontained:") {
                (b"Uncontained", host, b"square", true)
            } else if let Some(host) = short_of(id, short, b"unmanaged:") {
                (b"Unmanaged", host, b"square", true)
            } else if let Some(endpoint) = EndpointId::parse(id) {
                (endpoint.address, b"", b"circle", false)
            } else {
                (short, b"", b"triangle", false)
            };
        Basic {
            label: label.into(),
            label_minor: minor.into(),
            rank: short.into(),
            shape,
            tag: b"",
            stack,
            pseudo: true,
        }
    }

    fn group(self, node: &Drawn) -> Basic<'a> {
        let id = self.bytes(node.id);
        let mut basic = Basic {
            label: id.into(),
            rank: id.into(),
            shape: b"triangle",
            stack: true,
            ..Basic::default()
        };
        let mut parts = self.bytes(node.topology).split(|&b| b == b':');
        let kind = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(_), Some(kind), Some(_), None) => Kind::from_name(kind),
            _ => None,
        };
        if let Some(kind) = kind {
            let templates = self.templates.kind(kind);
            basic.shape = self.bytes(templates.shape);
            basic.tag = self.bytes(templates.tag);
            if !templates.label.is_empty() {
                let one = self.bytes(templates.label);
                basic.label_minor =
                    self.count(node, kind, "", one, self.bytes(templates.label_plural));
            }
        }
        basic
    }

    fn process(self, node: &Drawn) -> Basic<'a> {
        let id = self.bytes(node.id);
        let (host, pid) = node_id::split(id).unwrap_or_default();
        let name = self.fact(node, self.facts.keys.name);
        let container = self.fact(node, self.facts.keys.container_name);
        let (label, rank) = if name.is_empty() {
            (pid, host)
        } else {
            (name, name)
        };
        let minor: Text<'a> = match (name.is_empty(), container.is_empty()) {
            (false, false) => [host, b" (", container, b":", pid, b")"].concat().into(),
            (false, true) => [host, b" (", pid, b")"].concat().into(),
            (true, false) => [host, b" (", container, b")"].concat().into(),
            (true, true) => host.into(),
        };
        Basic {
            label: label.into(),
            label_minor: minor,
            rank: rank.into(),
            ..Basic::default()
        }
    }

    fn container(self, node: &Drawn) -> Basic<'a> {
        let label = self.container_label(node);
        let host = self.facts.host_name(self.symbols, node);
        let image = self.fact(node, self.facts.keys.image_name);
        let rank = match (image.is_empty(), host.is_empty()) {
            (false, _) => image_name::without_tag(image),
            (true, false) => host,
            (true, true) => label,
        };
        Basic {
            label: label.into(),
            label_minor: host.into(),
            rank: rank.into(),
            ..Basic::default()
        }
    }

    fn container_label(self, node: &Drawn) -> &'a [u8] {
        let keys = self.facts.keys;
        let named = [
            keys.label_ecs_container_name,
            keys.label_kubernetes_container_name,
            keys.env_marathon_app_id,
            keys.container_name,
            keys.container_hostname,
        ]
        .into_iter()
        .find_map(|key| self.facts.latest(node, key));
        match named {
            Some(name) => self.bytes(name),
            None => {
                let id = node_id::tagged(self.bytes(node.id), "container").unwrap_or_default();
                &id[..id.len().min(12)]
            }
        }
    }

    fn container_image(self, node: &Drawn) -> Basic<'a> {
        const NONE: &[u8] = b"<none>";
        let name = self.fact(node, self.facts.keys.image_name);
        let short = image_name::without_tag(name);
        let label = if !short.is_empty() && short != NONE {
            short
        } else if !name.is_empty() && name != NONE {
            name
        } else {
            node_id::tagged(self.bytes(node.id), "container_image").unwrap_or_default()
        };
        Basic {
            label: label.into(),
            label_minor: self.count(node, Kind::Container, "", b"container", b"containers"),
            rank: label.into(),
            ..Basic::default()
        }
    }

    /// Named by Kubernetes.
    fn kubernetes(self, node: &Drawn) -> Basic<'a> {
        let keys = self.facts.keys;
        let mut label = self.fact(node, keys.kubernetes_name);
        if label.is_empty() {
            label = node_id::split(self.bytes(node.id)).map_or(&[], |(id, _)| id);
        }
        let namespace = self.fact(node, keys.kubernetes_namespace);
        Basic {
            label: label.into(),
            rank: [namespace, b"/", label].concat().into(),
            ..Basic::default()
        }
    }

    fn counted(self, node: &Drawn, child: Kind, prefix: &str) -> Basic<'a> {
        let (one, many): (&[u8], &[u8]) = match child {
            Kind::Pod => (b"pod", b"pods"),
            _ => (b"container", b"containers"),
        };
        Basic {
            label_minor: self.count(node, child, prefix, one, many),
            ..self.kubernetes(node)
        }
    }

    fn count(self, node: &Drawn, child: Kind, prefix: &str, one: &[u8], many: &[u8]) -> Text<'a> {
        let counter = self.templates.kind(child).counter;
        let topology = self.facts.keys.kind(child);
        let count = self.facts.counter(self.symbols, node, topology, counter);
        let count = count.unwrap_or(0);
        let noun = if count == 1 { one } else { many };
        let mut text = prefix.as_bytes().to_vec();
        text.extend_from_slice(count.to_string().as_bytes());
        text.push(b' ');
        text.extend_from_slice(noun);
        Cow::Owned(text)
    }

    fn named(self, node: &Drawn, key: Sym, tag: &str) -> Basic<'a> {
        let name = self.fact(node, key);
        let label = if name.is_empty() {
            node_id::tagged(self.bytes(node.id), tag).unwrap_or_default()
        } else {
            name
        };
        Basic {
            label: label.into(),
            ..Basic::default()
        }
    }

    fn ecs_service(self, node: &Drawn) -> Basic<'a> {
        // Old probes: `<name>;<ecs_service>` instead of `<cluster>;<name>`.
        let label = match node_id::split(self.bytes(node.id)) {
            Some((name, b"<ecs_service>")) => name,
            Some((_, name)) => name,
            None => &[],
        };
        Basic {
            label: label.into(),
            ..Basic::default()
        }
    }

    fn host(self, node: &Drawn) -> Basic<'a> {
        let name = node_id::tagged(self.bytes(node.id), "host").unwrap_or_default();
        let dot = name.iter().position(|&b| b == b'.');
        let (label, domain) = match dot {
            Some(dot) => (&name[..dot], &name[dot + 1..]),
            None => (name, &[][..]),
        };
        Basic {
            label: label.into(),
            label_minor: domain.into(),
            rank: domain.into(),
            ..Basic::default()
        }
    }

    fn overlay(self, node: &Drawn) -> Basic<'a> {
        let id = self.bytes(node.id);
        let peer = id.strip_prefix(b"#").unwrap_or_default();
        let peer = peer.strip_prefix(b"docker_peer_").unwrap_or(peer);
        let nick = self.fact(node, self.facts.keys.weave_peer_nick_name);
        Basic {
            label: if nick.is_empty() { peer } else { nick }.into(),
            label_minor: peer.into(),
            ..Basic::default()
        }
    }
}

/// What follows `pseudo:` and this prefix.
fn short_of<'a>(id: &[u8], short: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    short
        .strip_prefix(prefix)
        .filter(|_| short.len() < id.len())
}
