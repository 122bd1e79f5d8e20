//! Blocks: the reports of one organisation in one slice of time. `docs/storage.md` has the picture.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::storage::v1 as pb;

use super::frame::{self, FrameReader, FrameWriter};

/// "Weft block, version 1".
const MAGIC: &[u8; 4] = b"WBK1";
/// Magic, length of the header, CRC-32 of the header.
const PREFIX: usize = 12;

/// What is wrong with stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The block is not where it should be, or of a version that this program does not know.
    #[error("no block of a known version")]
    Version,
    /// Its header is not what was written.
    #[error("the header is damaged")]
    Header,
    /// A column is not what was written.
    #[error("a checksum does not match")]
    Checksum,
    /// The columns do not fit together.
    #[error("the columns do not fit together")]
    Columns,
    /// It is another organisation's.
    #[error("it belongs to another organisation")]
    Foreign,
}

/// A report as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchivedReport {
    /// Its name, and what was known of it.
    pub header: pb::ReportHeader,
    /// The report, inflated.
    pub body: Bytes,
}

/// Writes one block after another.
#[derive(Debug)]
pub(super) struct BlockWriter {
    frames: FrameWriter,
    stored: Vec<u8>,
    done: Vec<pb::Frame>,
}

impl BlockWriter {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(BlockWriter {
            frames: FrameWriter::new()?,
            stored: Vec::new(),
            done: Vec::new(),
        })
    }

    /// Adds a report: probe by probe, each in order of time.
    pub(super) fn push(&mut self, header: pb::ReportHeader, body: &[u8]) -> std::io::Result<()> {
        self.frames.push(header, body);
        if self.frames.is_full() {
            self.done.extend(self.frames.finish(&mut self.stored)?);
        }
        Ok(())
    }

    /// Appends the block to `out`.
    pub(super) fn finish(&mut self, org: &str, out: &mut Vec<u8>) -> std::io::Result<()> {
        self.done.extend(self.frames.finish(&mut self.stored)?);
        let header = pb::BlockHeader {
            org_id: org.to_owned(),
            frames: std::mem::take(&mut self.done),
        };
        let header = header.encode_to_vec();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(header.len() as u32).to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        out.extend_from_slice(&header);
        out.append(&mut self.stored);
        Ok(())
    }
}

/// Where a block is.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) object: String,
    pub(super) place: pb::BlockRef,
}

/// A report that is not taken apart yet.
#[derive(Debug, Clone)]
pub struct Located {
    /// Its name, and what was known of it.
    pub header: pb::ReportHeader,
    frame: Arc<OpenFrame>,
    /// Its place in the frame.
    place: usize,
}

#[derive(Debug)]
struct OpenFrame {
    origin: Arc<Origin>,
    frame: pb::Frame,
    stored: Bytes,
}

/// The reports of a block, whose header is checked here.
pub(super) fn open(block: &Bytes, org: &str, origin: &Arc<Origin>) -> Result<Vec<Located>, Damage> {
    let (header, mut at) = header(block)?;
    if header.org_id != org {
        return Err(Damage::Foreign);
    }
    let mut reports = Vec::new();
    for mut frame in header.frames {
        let end = at + frame::stored_bytes(&frame);
        if end > block.len() || frame.body_bytes.len() != frame.reports.len() {
            return Err(Damage::Header);
        }
        let headers = std::mem::take(&mut frame.reports);
        let frame = Arc::new(OpenFrame {
            origin: Arc::clone(origin),
            frame,
            stored: block.slice(at..end),
        });
        reports.extend(
            headers
                .into_iter()
                .enumerate()
                .map(|(place, header)| Located {
                    header,
                    frame: Arc::clone(&frame),
                    place,
                }),
        );
        at = end;
    }
    if at == block.len() {
        Ok(reports)
    } else {
        Err(Damage::Header)
    }
}

impl Located {
    /// Bytes of its body.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        let bytes = self.frame.frame.body_bytes.get(self.place);
        bytes.map_or(0, |bytes| *bytes as usize)
    }
}

/// Reports that are read together, because they were compressed together.
#[derive(Debug)]
pub struct FrameRead {
    pub(super) origin: Arc<Origin>,
    /// Their places in the list that was asked for, by their places in the frame.
    pub(super) asked: Vec<usize>,
    frame: Arc<OpenFrame>,
    places: Vec<usize>,
}

impl FrameRead {
    /// What has to be read for these reports.
    #[must_use]
    pub fn of(reports: &[Located]) -> Vec<FrameRead> {
        let mut order: Vec<(usize, &Located)> = reports.iter().enumerate().collect();
        order.sort_by_key(|(_, report)| report.place);
        let mut known: HashMap<*const OpenFrame, usize> = HashMap::new();
        let mut reads: Vec<FrameRead> = Vec::new();
        for (asked, report) in order {
            let next = reads.len();
            let read = *known.entry(Arc::as_ptr(&report.frame)).or_insert(next);
            if read == next {
                reads.push(FrameRead {
                    origin: Arc::clone(&report.frame.origin),
                    asked: Vec::new(),
                    frame: Arc::clone(&report.frame),
                    places: Vec::new(),
                });
            }
            reads[read].asked.push(asked);
            reads[read].places.push(report.place);
        }
        reads
    }

    /// The places of the reports in the list that was asked for.
    #[must_use]
    pub fn asked(&self) -> &[usize] {
        &self.asked
    }

    /// Gives each report's place in the list that was asked for, and its body.
    ///
    /// # Errors
    /// If the frame is damaged. What was given before that is sound.
    pub fn read(
        &self,
        reader: &mut FrameReader,
        mut each: impl FnMut(usize, &[u8]),
    ) -> Result<(), Damage> {
        let OpenFrame { frame, stored, .. } = &*self.frame;
        let mut asked = self.asked.iter();
        reader.read(frame, stored, &self.places, |body| {
            if let Some(asked) = asked.next() {
                each(*asked, body);
            }
        })
    }
}

/// The header, and where the frames begin.
fn header(block: &[u8]) -> Result<(pb::BlockHeader, usize), Damage> {
    let (prefix, rest) = block.split_first_chunk::<PREFIX>().ok_or(Damage::Header)?;
    if !prefix.starts_with(MAGIC) {
        return Err(Damage::Version);
    }
    let number = |at: usize| {
        let bytes = prefix[at..at + 4].try_into().unwrap_or_default();
        u32::from_le_bytes(bytes)
    };
    let header = rest.get(..number(4) as usize).ok_or(Damage::Header)?;
    let frames = PREFIX + header.len();
    if crc32fast::hash(header) != number(8) {
        return Err(Damage::Header);
    }
    let header = pb::BlockHeader::decode(header).map_err(|_| Damage::Header)?;
    Ok((header, frames))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(number: u64) -> pb::ReportHeader {
        pb::ReportHeader {
            writer: 7,
            number,
            received_unix_nanos: number as i64 * 10,
            probe_id: "p".to_owned(),
            ..pb::ReportHeader::default()
        }
    }

    fn body_of(number: u64) -> Vec<u8> {
        let moment = |n: u64| {
            [
                &[0xAF, 1][..],
                &n.to_be_bytes(),
                &[9; 6],
                b"value\xcb",
                &n.to_le_bytes(),
            ]
            .concat()
        };
        (0..200).flat_map(|i| moment(number + i % 5)).collect()
    }

    fn block() -> Vec<u8> {
        let mut writer = BlockWriter::new().expect("zstd");
        let mut out = Vec::new();
        for number in 1..=5 {
            writer
                .push(header_of(number), &body_of(number))
                .expect("zstd");
        }
        writer.finish("org", &mut out).expect("zstd");
        out
    }

    /// The reports of a block that were accepted in `from..until`.
    fn read(block: &[u8], org: &str, from: i64, until: i64) -> Result<Vec<ArchivedReport>, Damage> {
        let origin = Origin {
            object: "one".to_owned(),
            place: pb::BlockRef::default(),
        };
        let mut located = open(&Bytes::copy_from_slice(block), org, &Arc::new(origin))?;
        located.retain(|report| (from..until).contains(&report.header.received_unix_nanos));
        let mut reports: Vec<_> = located
            .iter()
            .map(|located| ArchivedReport {
                header: located.header.clone(),
                body: Bytes::new(),
            })
            .collect();
        let mut reader = FrameReader::default();
        for read in FrameRead::of(&located) {
            read.read(&mut reader, |asked, body| {
                reports[asked].body = Bytes::copy_from_slice(body);
            })?;
        }
        Ok(reports)
    }

    #[test]
    fn reports_come_back_by_time() {
        let block = block();
        let all = read(&block, "org", 0, 1000).expect("whole");
        assert_eq!(all.len(), 5);
        for (i, report) in all.iter().enumerate() {
            let number = i as u64 + 1;
            assert_eq!(report.header, header_of(number));
            assert_eq!(report.body, body_of(number));
        }
        let some = read(&block, "org", 20, 40).expect("whole");
        let numbers: Vec<u64> = some.iter().map(|r| r.header.number).collect();
        assert_eq!(numbers, [2, 3]);
    }

    #[test]
    fn other_organisations_block_is_refused() {
        assert_eq!(read(&block(), "other", 0, 1000), Err(Damage::Foreign));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let block = block();
        for bit in 0..block.len() * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped, "org", 0, 1000).is_err(), "bit {bit}");
        }
        for end in 0..block.len() {
            assert!(read(&block[..end], "org", 0, 1000).is_err(), "{end} bytes");
        }
    }
}
