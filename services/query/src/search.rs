//! Finding nodes in all topologies.

use proto::encoded::query::v1 as pb;
use report::catalogue;
use report::options::Selection;
use report::search::{FieldMatch, Query};
use report::summary::Summary;
use tonic::Status;

use crate::convert::{self, Detail};
use crate::tenant::Reading;

const QUERY_BYTES: usize = 512;
/// Default and bound of the nodes per topology that a search returns.
const MATCHES: (u32, u32) = (100, 1000);
const MATCHED_FIELDS: usize = 8;
const VALUE_CHARS: usize = 200;

/// A search that makes sense.
#[derive(Debug)]
pub(crate) struct Search {
    query: Query,
    limit: usize,
}

impl Search {
    pub(crate) fn parse(request: &pb::SearchRequest) -> Result<Self, Status> {
        if request.query.len() > QUERY_BYTES {
            return Err(Status::invalid_argument(
                "the query is longer than 512 bytes",
            ));
        }
        let query = Query::parse(&request.query)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let limit = match request.limit {
            0 => MATCHES.0,
            n => n.min(MATCHES.1),
        };
        Ok(Search {
            query,
            limit: limit as usize,
        })
    }

    /// The matches in every topology that has some.
    pub(crate) fn run(
        &self,
        reading: Reading<'_>,
        selection: &Selection,
    ) -> Vec<pb::TopologyMatches> {
        let Reading { view, symbols, .. } = reading;
        let mut found = Vec::new();
        for id in catalogue::topology_ids() {
            let Some(nodes) = view.topology(symbols, id, selection) else {
                continue;
            };
            let matches = self.matches(id, nodes);
            if matches.total > 0 {
                found.push(matches);
            }
        }
        found
    }

    fn matches<'a>(
        &self,
        topology: &str,
        nodes: impl Iterator<Item = Summary<'a>>,
    ) -> pb::TopologyMatches {
        let mut matches = pb::TopologyMatches {
            topology_id: topology.to_owned(),
            ..pb::TopologyMatches::default()
        };
        for node in nodes {
            let Some(fields) = self.query.find(&node) else {
                continue;
            };
            matches.total += 1;
            if matches.nodes.len() < self.limit {
                matches.nodes.push(pb::NodeMatch {
                    fields: fields.iter().take(MATCHED_FIELDS).map(field).collect(),
                    node: Some(convert::summary(&node, Detail::Table)),
                });
            }
        }
        matches
    }
}

fn field(field: &FieldMatch<'_>) -> pb::MatchedField {
    let value = convert::text(&field.value);
    pb::MatchedField {
        label: convert::text(&field.label),
        value: value.chars().take(VALUE_CHARS).collect(),
    }
}
