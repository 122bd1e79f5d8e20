//! Inflating bodies.

use std::borrow::Cow;
use std::io::Read;

use libdeflater::{DecompressionError, Decompressor};

use super::{Compression, DecodeError, Limits};

/// Below this, the ratio says nothing.
const RATIO_FLOOR: usize = 8 << 20;

/// The smallest gzip member: header, an empty block, trailer.
const SMALLEST: usize = 20;

/// The body as it was before compression.
///
/// # Errors
/// If it is not gzip, or beyond the limits.
pub fn inflate<'a>(
    body: &'a [u8],
    compression: Compression,
    limits: &Limits,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    if compression == Compression::None {
        return if body.len() > limits.inflated_bytes {
            Err(too_large(limits.inflated_bytes))
        } else {
            Ok(Cow::Borrowed(body))
        };
    }
    gunzip(body, limits).map(Cow::Owned)
}

fn gunzip(body: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    if body.len() < SMALLEST {
        return Err(not_gzip("too short"));
    }
    let by_ratio = body.len().saturating_mul(limits.ratio).max(RATIO_FLOOR);
    let most = by_ratio.min(limits.inflated_bytes);
    let trailer = body.len() - 8;
    let said = u32_at(body, trailer + 4) as usize;
    // The trailer is only a hint: of the last member, modulo 2^32, and chosen by the sender.
    let likely = said.clamp(1, body.len().saturating_mul(32));
    let mut room = likely.min(most);
    let mut inflater = Decompressor::new();
    loop {
        let mut out = vec![0; room];
        match inflater.gzip_decompress(body, &mut out) {
            Ok(n) => {
                out.truncate(n);
                if n == said && libdeflater::crc32(&out) == u32_at(body, trailer) {
                    return Ok(out);
                }
                // Something follows the first member, which libdeflater does not tell the end of.
                return gunzip_members(body, most);
            }
            Err(DecompressionError::BadData) => return Err(not_gzip("bad data")),
            Err(DecompressionError::InsufficientSpace) if room >= most => {
                return Err(too_large(most));
            }
            Err(DecompressionError::InsufficientSpace) => room = room.saturating_mul(4).min(most),
        }
    }
}

fn gunzip_members(body: &[u8], most: usize) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    let mut members = flate2::read::MultiGzDecoder::new(body).take(most as u64 + 1);
    match members.read_to_end(&mut out) {
        Err(_) => Err(not_gzip("bad data after the first member")),
        Ok(_) if out.len() > most => Err(too_large(most)),
        Ok(_) => Ok(out),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes[at..].first_chunk();
    four.map_or(0, |four| u32::from_le_bytes(*four))
}

fn not_gzip(reason: &'static str) -> DecodeError {
    DecodeError::Inflate { reason }
}

fn too_large(limit: usize) -> DecodeError {
    DecodeError::TooLarge {
        what: "bytes inflated",
        limit,
    }
}
