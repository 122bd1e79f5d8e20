//! Frames: reports that are compressed together.

use bytes::Bytes;
use proto::storage::v1 as pb;

use super::block::Damage;
use super::columns::{Columns, Reader, Recent, from_planes, planes};

/// Bodies of a frame together reach this many bytes, inflated, before the next frame is begun: enough for the compressor to
/// see several reports of a probe, little enough to be read by several threads and to be let go soon.
const FRAME_BYTES: usize = 8 << 20;
/// The fastest level: the higher ones find nothing more in bodies without moments and numbers.
const LEVEL: i32 = 1;
/// 8 MiB, a whole frame, and what every decompressor is ready for.
const WINDOW_LOG: u32 = 23;
/// A column of a frame is never larger, since a report is at most 64 MiB. Guards memory when a header lies.
const MAX_COLUMN: usize = 160 << 20;

const TEXT: u32 = 1;
const PLACES: u32 = 2;
const MOMENTS: u32 = 3;
const NUMBERS: u32 = 4;

/// Compresses frames one after another.
pub(super) struct FrameWriter {
    columns: Columns,
    recent: Recent,
    compressor: zstd::bulk::Compressor<'static>,
    planes: Vec<u8>,
    frame: pb::Frame,
    bytes: usize,
}

impl std::fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameWriter").finish_non_exhaustive()
    }
}

impl FrameWriter {
    pub(super) fn new() -> std::io::Result<Self> {
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        compressor.set_parameter(zstd::zstd_safe::CParameter::WindowLog(WINDOW_LOG))?;
        Ok(FrameWriter {
            columns: Columns::default(),
            recent: Recent::default(),
            compressor,
            planes: Vec::new(),
            frame: pb::Frame::default(),
            bytes: 0,
        })
    }

    pub(super) fn push(&mut self, header: pb::ReportHeader, body: &[u8]) {
        self.columns.take_apart(body, &mut self.recent);
        self.frame.reports.push(header);
        // A report is at most 64 MiB.
        self.frame.body_bytes.push(body.len() as u32);
        self.bytes += body.len();
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= FRAME_BYTES
    }

    /// Appends the columns to `out` and starts the next frame; nothing if there is nothing.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> std::io::Result<Option<pb::Frame>> {
        if self.frame.reports.is_empty() {
            return Ok(None);
        }
        let mut frame = std::mem::take(&mut self.frame);
        self.bytes = 0;
        let columns = &mut self.columns;
        frame
            .columns
            .push(write(&mut self.compressor, TEXT, &columns.text, out)?);
        frame
            .columns
            .push(write(&mut self.compressor, PLACES, &columns.places, out)?);
        self.planes.clear();
        planes(&columns.moments, &mut self.planes);
        frame
            .columns
            .push(write(&mut self.compressor, MOMENTS, &self.planes, out)?);
        self.planes.clear();
        planes(&columns.numbers, &mut self.planes);
        frame
            .columns
            .push(write(&mut self.compressor, NUMBERS, &self.planes, out)?);
        columns.clear();
        // The table's numbers start anew with the frame.
        self.recent = Recent::default();
        Ok(Some(frame))
    }
}

fn write(
    compressor: &mut zstd::bulk::Compressor<'_>,
    kind: u32,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> std::io::Result<pb::Column> {
    let stored = compressor.compress(bytes)?;
    out.extend_from_slice(&stored);
    Ok(pb::Column {
        kind,
        stored_bytes: stored.len() as u32,
        bytes: bytes.len() as u32,
        crc32: crc32fast::hash(&stored),
    })
}

/// How many bytes a frame's columns take.
pub(super) fn stored_bytes(frame: &pb::Frame) -> usize {
    let columns = frame.columns.iter();
    columns.map(|c| c.stored_bytes as usize).sum()
}

/// The bodies of a frame, in order.
pub(super) fn read(frame: &pb::Frame, stored: &[u8]) -> Result<Vec<Bytes>, Damage> {
    let mut rest = stored;
    let mut columns: [Vec<u8>; 4] = Default::default();
    for column in &frame.columns {
        let (stored, after) = rest
            .split_at_checked(column.stored_bytes as usize)
            .ok_or(Damage::Header)?;
        rest = after;
        if crc32fast::hash(stored) != column.crc32 {
            return Err(Damage::Checksum);
        }
        let bytes = column.bytes as usize;
        let place = (column.kind as usize).checked_sub(1);
        // A column of a kind that this version does not know cannot be left out.
        let place = place
            .and_then(|i| columns.get_mut(i))
            .ok_or(Damage::Version)?;
        if bytes > MAX_COLUMN {
            return Err(Damage::Header);
        }
        *place = zstd::bulk::decompress(stored, bytes).map_err(|_| Damage::Columns)?;
    }
    let [text, places, moments, numbers] = columns;
    let moments = from_planes(&moments).ok_or(Damage::Columns)?;
    let numbers = from_planes(&numbers).ok_or(Damage::Columns)?;
    let mut reader = Reader {
        text: &text,
        places: &places,
        moments: &moments,
        numbers: &numbers,
        next_moment: 0,
        next_number: 0,
    };
    let total: usize = frame.body_bytes.iter().map(|n| *n as usize).sum();
    if total > 2 * MAX_COLUMN || frame.body_bytes.len() != frame.reports.len() {
        return Err(Damage::Header);
    }
    let mut bodies = Vec::with_capacity(total);
    for bytes in &frame.body_bytes {
        reader.put_together(*bytes as usize, &mut bodies)?;
    }
    if !reader.is_spent() {
        return Err(Damage::Columns);
    }
    let mut bodies = Bytes::from(bodies);
    let split = |bytes: &u32| bodies.split_to(*bytes as usize);
    Ok(frame.body_bytes.iter().map(split).collect())
}
