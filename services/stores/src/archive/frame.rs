//! Frames: reports that are compressed together.

use proto::storage::v1 as pb;

use super::block::Damage;
use super::columns::{Columns, Moment, Number, Reader, Recent, from_planes, planes};

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

/// Reads frames one after another, in memory that is kept for the next one.
#[derive(Default)]
pub struct FrameReader {
    /// By kind.
    columns: [Vec<u8>; 4],
    moments: Vec<Moment>,
    numbers: Vec<Number>,
    body: Vec<u8>,
}

impl std::fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReader").finish_non_exhaustive()
    }
}

impl FrameReader {
    /// Gives the bodies at these places of a frame (ascending), one after another.
    pub(super) fn read(
        &mut self,
        frame: &pb::Frame,
        stored: &[u8],
        places: &[usize],
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Damage> {
        self.inflate(frame, stored)?;
        let [text, back, _, _] = &self.columns;
        let mut reader = Reader {
            text,
            places: back,
            moments: &self.moments,
            numbers: &self.numbers,
            next_moment: 0,
            next_number: 0,
        };
        let mut wanted = places.iter().peekable();
        for (place, bytes) in frame.body_bytes.iter().enumerate() {
            if wanted.peek().is_none() {
                return Ok(());
            }
            self.body.clear();
            reader.put_together(*bytes as usize, &mut self.body)?;
            if wanted.next_if_eq(&&place).is_some() {
                each(&self.body);
            }
        }
        if wanted.next().is_some() || !reader.is_spent() {
            return Err(Damage::Columns);
        }
        Ok(())
    }

    /// Checks and decompresses the columns.
    fn inflate(&mut self, frame: &pb::Frame, stored: &[u8]) -> Result<(), Damage> {
        self.columns.iter_mut().for_each(Vec::clear);
        let total: usize = frame.body_bytes.iter().map(|n| *n as usize).sum();
        if total > 2 * MAX_COLUMN {
            return Err(Damage::Header);
        }
        let mut rest = stored;
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
                .and_then(|i| self.columns.get_mut(i))
                .ok_or(Damage::Version)?;
            if bytes > MAX_COLUMN {
                return Err(Damage::Header);
            }
            place.reserve(bytes);
            let inflated = zstd::zstd_safe::decompress(place, stored);
            if inflated.map_err(|_| Damage::Columns)? != bytes {
                return Err(Damage::Columns);
            }
        }
        let [_, _, moments, numbers] = &self.columns;
        from_planes(moments, &mut self.moments)
            .and_then(|()| from_planes(numbers, &mut self.numbers))
            .ok_or(Damage::Columns)
    }
}
