//! Objects: blocks of several organisations, and the entries of the index that find them.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use proto::storage::v1 as pb;
use sha2::{Digest, Sha256};

use super::block::BlockWriter;
use crate::IndexEntry;

/// A block covers this many nanoseconds at most, aligned: as many as a view looks back.
pub const SLICE: i64 = 15_000_000_000;

/// A row larger than this does without the ids of probes: an index refuses entries of more than 300 KiB.
const MAX_ROW: usize = 256 << 10;

const SECOND: i64 = 1_000_000_000;

/// An object that is ready to be written.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its blocks.
    pub body: Bytes,
    /// What finds them.
    pub entries: Vec<IndexEntry>,
}

/// Writes one object. Push organisation by organisation, hour by hour, slice by slice, probe by probe, by time.
#[derive(Debug)]
pub struct ObjectWriter {
    body: Vec<u8>,
    block: BlockWriter,
    open: Option<OpenBlock>,
    rows: Vec<OpenRow>,
}

#[derive(Debug)]
struct OpenBlock {
    slice: i64,
    times: Vec<i64>,
    probes: Vec<u32>,
}

#[derive(Debug)]
struct OpenRow {
    org: String,
    hour: i64,
    /// The blocks, and the probes of each.
    blocks: Vec<(pb::BlockRef, Vec<u32>)>,
}

impl ObjectWriter {
    /// An empty one.
    ///
    /// # Errors
    /// If there is no memory for the compressor.
    pub fn new() -> std::io::Result<Self> {
        Ok(ObjectWriter {
            body: Vec::new(),
            block: BlockWriter::new()?,
            open: None,
            rows: Vec::new(),
        })
    }

    /// Adds a report with its inflated body.
    ///
    /// # Errors
    /// If the compressor fails.
    pub fn push(
        &mut self,
        org: &str,
        header: pb::ReportHeader,
        body: &[u8],
    ) -> std::io::Result<()> {
        let time = header.received_unix_nanos;
        let (slice, hour) = (time.div_euclid(SLICE), time.div_euclid(3600 * SECOND));
        let same_row = self
            .rows
            .last()
            .is_some_and(|row| row.org == org && row.hour == hour);
        if !same_row || self.open.as_ref().is_some_and(|open| open.slice != slice) {
            self.close()?;
        }
        if !same_row {
            self.rows.push(OpenRow {
                org: org.to_owned(),
                hour,
                blocks: Vec::new(),
            });
        }
        let open = self.open.get_or_insert_with(|| OpenBlock {
            slice,
            times: Vec::new(),
            probes: Vec::new(),
        });
        open.times.push(time);
        let probe = probe_number(&header.probe_id);
        if open.probes.last() != Some(&probe) {
            open.probes.push(probe);
        }
        self.block.push(header, body)
    }

    /// The object; its key and the names of its entries begin with `name`, which must be the same whenever the same reports
    /// are written anew, so that they replace what is there.
    ///
    /// # Errors
    /// If the compressor fails.
    pub fn finish(mut self, prefix: &str, name: &str) -> std::io::Result<Object> {
        self.close()?;
        // Another version of this program may write the same reports as other bytes. An entry of before must not point
        // into those.
        let key = format!("{prefix}{name}-{:08x}.weft", crc32fast::hash(&self.body));
        let rows = self.rows.into_iter();
        let entries = rows.filter_map(|row| row.entry(&key, name)).collect();
        Ok(Object {
            key,
            body: self.body.into(),
            entries,
        })
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    fn close(&mut self) -> std::io::Result<()> {
        let (Some(mut open), Some(row)) = (self.open.take(), self.rows.last_mut()) else {
            return Ok(());
        };
        let offset = self.body.len();
        self.block.finish(&row.org, &mut self.body)?;
        open.times.sort_unstable();
        open.probes.sort_unstable();
        open.probes.dedup();
        let (first, last) = match (open.times.first(), open.times.last()) {
            (Some(first), Some(last)) => (*first, *last),
            _ => return Ok(()),
        };
        let second = |time: i64| time.div_euclid(SECOND) - first.div_euclid(SECOND);
        let mut reports_per_second = vec![0; 1 + second(last) as usize];
        for time in &open.times {
            reports_per_second[second(*time) as usize] += 1;
        }
        let block = pb::BlockRef {
            offset: offset as u64,
            bytes: (self.body.len() - offset) as u64,
            first_unix_nanos: first,
            last_unix_nanos: last,
            reports_per_second,
            probes: Vec::new(),
        };
        row.blocks.push((block, open.probes));
        Ok(())
    }
}

impl OpenRow {
    fn entry(self, key: &str, name: &str) -> Option<IndexEntry> {
        let first = self.blocks.iter().map(|(b, _)| b.first_unix_nanos).min()?;
        let last = self.blocks.iter().map(|(b, _)| b.last_unix_nanos).max()?;
        let probes = self.blocks.iter().flat_map(|(_, probes)| probes);
        let mut places: BTreeMap<u32, u32> = probes.map(|probe| (*probe, 0)).collect();
        for (place, n) in places.values_mut().zip(0..) {
            *place = n;
        }
        let blocks = self.blocks.into_iter().map(|(block, probes)| pb::BlockRef {
            probes: probes
                .iter()
                .filter_map(|p| places.get(p).copied())
                .collect(),
            ..block
        });
        let mut row = pb::IndexRow {
            object: key.to_owned(),
            blocks: blocks.collect(),
            probes: places.keys().copied().collect(),
        };
        if row.encoded_len() > MAX_ROW {
            // Who reported is for the timeline; where the reports are must be found whatever anybody sends.
            row.probes.clear();
            row.blocks.iter_mut().for_each(|block| block.probes.clear());
        }
        Some(IndexEntry {
            org: self.org,
            first,
            last,
            name: name.to_owned(),
            payload: row.encode_to_vec().into(),
        })
    }
}

/// The first four bytes of the SHA-256 of a probe's id.
fn probe_number(id: &str) -> u32 {
    let hash = Sha256::digest(id);
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_of_countless_probes_stays_small() {
        let mut writer = ObjectWriter::new().expect("zstd");
        for number in 0..70_000 {
            let header = pb::ReportHeader {
                number,
                received_unix_nanos: SECOND,
                probe_id: number.to_string(),
                ..pb::ReportHeader::default()
            };
            writer.push("org", header, b"a report").expect("zstd");
        }
        let object = writer.finish("", "o").expect("zstd");
        let payload = object.entries[0].payload.clone();
        assert!(payload.len() <= MAX_ROW, "{} bytes", payload.len());
        let row = pb::IndexRow::decode(payload).expect("a row");
        assert_eq!(row.blocks[0].reports_per_second, [70_000]);
    }
}
