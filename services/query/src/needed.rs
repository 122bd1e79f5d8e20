//! Which reports a moment needs.

use std::collections::HashMap;

use report::live::LiveConfig;

use crate::post::Post;

/// Sorts out the reports of a moment, from the newest to older ones. What it keeps is what [`report::live::Live`] would
/// look at, had it been there.
#[derive(Debug)]
pub(crate) struct Needed {
    at: i64,
    config: LiveConfig,
    probes: HashMap<String, Probe>,
}

#[derive(Debug)]
struct Probe {
    /// Reports from here on are shown.
    shown_from: i64,
    /// Older ones only complete what is shown, and only if they came after this.
    completed_after: i64,
    /// A full report is there: older ones say nothing more.
    complete: bool,
}

impl Needed {
    pub(crate) fn new(at: i64, config: LiveConfig) -> Self {
        Needed {
            at,
            config,
            probes: HashMap::new(),
        }
    }

    /// Whether something received before this may be needed.
    pub(crate) fn before(&self, time: i64) -> bool {
        let late = self.at - self.config.window - self.config.stale_for;
        let mut probes = self.probes.values();
        time > late + 1 || probes.any(|p| !p.complete && p.completed_after + 1 < time)
    }

    /// The probes of which no older reports are needed.
    pub(crate) fn complete(&self) -> impl Iterator<Item = &str> {
        let complete = self.probes.iter().filter(|(_, probe)| probe.complete);
        complete.map(|(id, _)| id.as_str())
    }

    /// Whether this one is needed. Must be asked from the newest to the oldest.
    pub(crate) fn wants(&mut self, post: &Post) -> bool {
        let config = &self.config;
        let shown = post.received > self.at - config.window;
        if post.probe.is_empty() {
            return shown;
        }
        let Some(probe) = self.probes.get_mut(&post.probe) else {
            if post.received <= self.at - config.window - config.stale_for {
                return false;
            }
            let probe = Probe {
                // A late probe is shown as it was just before its last report left the window.
                shown_from: match shown {
                    true => self.at - config.window + 1,
                    false => post.received,
                },
                completed_after: self.at.min(post.received + config.window) - config.rehydrate_for,
                complete: post.full,
            };
            self.probes.insert(post.probe.clone(), probe);
            return true;
        };
        if post.received >= probe.shown_from {
            probe.complete |= post.full;
            return true;
        }
        let wanted = !probe.complete && post.received > probe.completed_after;
        probe.complete |= wanted && post.full;
        wanted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use report::decode::{Compression, Format, Limits};
    use report::encode::{self, Censor};
    use report::live::Live;

    use super::*;
    use crate::moment::SECOND;

    const START: i64 = 1_600_000_000 * SECOND;

    fn body(full: bool, hosts: u8) -> String {
        let nodes = (0..4).filter(|i| hosts & (1 << i) != 0);
        let nodes: Vec<String> = nodes
            .map(|i| match full {
                true => format!(r#""h{i}":{{"id":"h{i}","topology":"host"}}"#),
                false => format!(r#""h{i}":{{"metrics":{{"m":{{"min":0,"max":{hosts}}}}}}}"#),
            })
            .collect();
        let shape = if full { r#""shape":"circle","# } else { "" };
        let nodes = nodes.join(",");
        format!(r#"{{"Window":3,"Host":{{{shape}"nodes":{{{nodes}}}}}}}"#)
    }

    fn json(live: &mut Live, at: i64) -> Vec<u8> {
        live.refresh(at);
        let mut out = Vec::new();
        encode::json(live.report(), live.symbols(), Censor::default(), &mut out);
        out
    }

    fn push(live: &mut Live, post: &Post) {
        let body = post.body.clone();
        live.push(
            post.received,
            &post.probe,
            body,
            post.format,
            post.compression,
        );
    }

    prop_compose! {
        fn posts()(posts in prop::collection::vec(
            (0..90_000_i64, 0..4_u8, any::<bool>(), any::<bool>(), 0..16_u8), 0..60,
        )) -> Vec<Post> {
            let mut posts: Vec<Post> = posts.into_iter().enumerate().map(|(i, (at, probe, full, known, hosts))| Post {
                id: i as u128 + 1,
                received: START + at * 1_000_000,
                probe: if probe == 0 { String::new() } else { format!("p{probe}") },
                body: body(full, hosts).into(),
                located: None,
                format: Format::ScopeJson,
                compression: Compression::None,
                full: full && known,
            }).collect();
            posts.sort_by_key(|p| (p.received, p.id));
            posts
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn a_past_moment_is_what_was_shown_then(posts in posts(), moments in prop::collection::vec(0..130_000_i64, 1..6)) {
            let mut moments: Vec<i64> = moments.iter().map(|m| START + m * 1_000_000).collect();
            moments.sort_unstable();
            let mut then = Live::new(Limits::default(), LiveConfig::default());
            let mut next = 0;
            for at in moments {
                while next < posts.len() && posts[next].received <= at {
                    push(&mut then, &posts[next]);
                    next += 1;
                }
                let mut needed = Needed::new(at, LiveConfig::default());
                let mut kept: Vec<&Post> = posts[..next].iter().rev().filter(|p| needed.wants(p)).collect();
                let oldest = kept.last().map_or(at, |p| p.received);
                prop_assert!(oldest > at - 45 * SECOND);
                kept.reverse();
                let mut past = Live::new(Limits::default(), LiveConfig::default());
                for post in kept {
                    push(&mut past, post);
                }
                prop_assert_eq!(json(&mut past, at), json(&mut then, at));
                prop_assert_eq!(past.next_expiry(), then.next_expiry());
            }
        }
    }

    #[test]
    fn older_reports_are_asked_for_only_if_they_matter() {
        let post = |second: i64, full| Post {
            id: 1,
            received: START + second * SECOND,
            probe: "p".to_owned(),
            body: bytes::Bytes::new(),
            located: None,
            format: Format::ScopeJson,
            compression: Compression::None,
            full,
        };
        let mut needed = Needed::new(START, LiveConfig::default());
        // Somebody may be late.
        assert!(needed.before(START - 15 * SECOND));
        assert!(!needed.before(START - 30 * SECOND));
        assert!(needed.wants(&post(-20, false)));
        assert!(needed.before(START - 30 * SECOND));
        assert!(needed.wants(&post(-30, true)));
        assert!(!needed.before(START - 30 * SECOND));
        assert!(!needed.wants(&post(-31, true)));
    }
}
