//! Nodes put together from several.

use crate::model::{Metric, Node, Sample, Sets};
use crate::symbol::Sym;

/// Both nodes' facts; the newer of two wins. Identity is the first one's.
pub(crate) fn merge_nodes(a: &Node, b: &Node) -> Node {
    Node {
        id: a.id,
        topology: a.topology,
        has_id: a.has_id,
        sets: merge_sets(&a.sets, &b.sets),
        adjacency: Vec::new(),
        latest: merge_sorted(
            &a.latest,
            &b.latest,
            |e| e.key,
            |x, y| if x.timestamp < y.timestamp { *y } else { *x },
        ),
        metrics: merge_sorted(
            &a.metrics,
            &b.metrics,
            |m| m.0,
            |x, y| (x.0, merge_metrics(&x.1, &y.1)),
        ),
        parents: merge_sets(&a.parents, &b.parents),
        children: a.children.iter().chain(&b.children).cloned().collect(),
        stale: a.stale && b.stale,
    }
}

/// All samples of both; where both have one of the same moment, the first one's.
pub(crate) fn merge_metrics(a: &Metric, b: &Metric) -> Metric {
    if a.samples.is_empty() {
        return b.clone();
    }
    if b.samples.is_empty() {
        return a.clone();
    }
    Metric {
        samples: merge_sorted(&a.samples, &b.samples, |s: &Sample| s.date, |x, _| *x),
        min: a.min.min(b.min),
        max: a.max.max(b.max),
    }
}

fn merge_sets(a: &Sets, b: &Sets) -> Sets {
    merge_sorted(
        a,
        b,
        |s: &(Sym, Vec<Sym>)| s.0,
        |x, y| (x.0, merge_sorted(&x.1, &y.1, |s| *s, |s, _| *s)),
    )
}

fn merge_sorted<T: Clone, K: Ord>(
    a: &[T],
    b: &[T],
    key: impl Fn(&T) -> K,
    both: impl Fn(&T, &T) -> T,
) -> Vec<T> {
    let mut out = Vec::with_capacity(a.len().max(b.len()));
    let (mut a, mut b) = (a, b);
    while let ([x, a_rest @ ..], [y, b_rest @ ..]) = (a, b) {
        match key(x).cmp(&key(y)) {
            std::cmp::Ordering::Less => {
                out.push(x.clone());
                a = a_rest;
            }
            std::cmp::Ordering::Greater => {
                out.push(y.clone());
                b = b_rest;
            }
            std::cmp::Ordering::Equal => {
                out.push(both(x, y));
                (a, b) = (a_rest, b_rest);
            }
        }
    }
    out.extend_from_slice(a);
    out.extend_from_slice(b);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Latest;
    use crate::time::Timestamp;

    #[test]
    fn newer_facts_win_and_sets_unite() {
        let fact = |key, value, seconds| Latest {
            key: Sym(key),
            value: Sym(value),
            timestamp: Timestamp {
                seconds,
                ..Timestamp::default()
            },
        };
        let a = Node {
            id: Sym(1),
            latest: vec![fact(5, 50, 1), fact(6, 60, 9)],
            sets: vec![(Sym(7), vec![Sym(1), Sym(3)])],
            stale: true,
            ..Node::default()
        };
        let b = Node {
            id: Sym(2),
            latest: vec![fact(4, 40, 1), fact(5, 51, 2), fact(6, 61, 8)],
            sets: vec![(Sym(7), vec![Sym(2), Sym(3)])],
            ..Node::default()
        };
        let merged = merge_nodes(&a, &b);
        assert_eq!(merged.id, Sym(1));
        assert_eq!(
            merged.latest,
            [fact(4, 40, 1), fact(5, 51, 2), fact(6, 60, 9)]
        );
        assert_eq!(merged.set(Sym(7)), [Sym(1), Sym(2), Sym(3)]);
        assert!(!merged.stale);
    }
}
