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
    let mut buffer = Vec::new();
    let n = inflate_into(body, compression, limits, &mut buffer)?.len();
    if compression == Compression::None {
        return Ok(Cow::Borrowed(body));
    }
    buffer.truncate(n);
    Ok(Cow::Owned(buffer))
}

/// As [`inflate`], into a buffer that may have been used before.
///
/// # Errors
/// If it is not gzip, or beyond the limits.
pub fn inflate_into<'a>(
    body: &'a [u8],
    compression: Compression,
    limits: &Limits,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], DecodeError> {
    if compression == Compression::None {
        return if body.len() > limits.inflated_bytes {
            Err(too_large(limits.inflated_bytes))
        } else {
            Ok(body)
        };
    }
    let n = gunzip(body, limits, buffer)?;
    Ok(&buffer[..n])
}

/// Gives how much of the buffer is filled.
fn gunzip(body: &[u8], limits: &Limits, buffer: &mut Vec<u8>) -> Result<usize, DecodeError> {
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
        if buffer.len() < room {
            buffer.resize(room, 0);
        }
        match inflater.gzip_decompress(body, &mut buffer[..room]) {
            // Equal members would pass for one, but a report that repeats itself is none.
            Ok(n) if n == said && libdeflater::crc32(&buffer[..n]) == u32_at(body, trailer) => {
                return Ok(n);
            }
            // Something follows the first member, which libdeflater does not tell the end of.
            Ok(_) => return gunzip_members(body, most, buffer),
            Err(DecompressionError::BadData) => return Err(not_gzip("bad data")),
            Err(DecompressionError::InsufficientSpace) if room >= most => {
                return Err(too_large(most));
            }
            Err(DecompressionError::InsufficientSpace) => room = room.saturating_mul(4).min(most),
        }
    }
}

fn gunzip_members(body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<usize, DecodeError> {
    out.clear();
    let mut members = flate2::read::MultiGzDecoder::new(body).take(most as u64 + 1);
    match members.read_to_end(out) {
        Err(_) => Err(not_gzip("bad data after the first member")),
        Ok(n) if n > most => Err(too_large(most)),
        Ok(n) => Ok(n),
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression as Level;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Level::default());
        encoder.write_all(bytes).expect("to memory");
        encoder.finish().expect("to memory")
    }

    fn check_accepted(body: &[u8], expected: &[u8]) {
        let inflated = inflate(body, Compression::Gzip, &Limits::default());
        assert_eq!(inflated.as_deref(), Ok(expected));
    }

    fn check_refused(body: &[u8], limits: &Limits, too_large: bool) {
        let error = inflate(body, Compression::Gzip, limits).expect_err("refused");
        assert_eq!(error.is_too_large(), too_large, "{error}");
    }

    #[test]
    fn members_are_joined() {
        let (one, two) = (gzip(b"one"), gzip(b"two, which is longer"));
        check_accepted(&one, b"one");
        check_accepted(&[&one[..], &two].concat(), b"onetwo, which is longer");
        check_accepted(&gzip(b""), b"");
    }

    #[test]
    fn what_is_not_gzip_is_refused() {
        let whole = gzip(&[7; 1000]);
        let limits = Limits::default();
        for end in 0..whole.len() {
            check_refused(&whole[..end], &limits, false);
        }
        check_refused(
            &[&whole[..], b"garbage, not a member"].concat(),
            &limits,
            false,
        );
        let mut wrong_sum = whole.clone();
        wrong_sum[whole.len() - 6] ^= 1;
        check_refused(&wrong_sum, &limits, false);
    }

    #[test]
    fn bombs_are_refused() {
        let bomb = gzip(&vec![0; 20 << 20]);
        check_refused(&bomb, &Limits::default(), true);
        let limits = Limits {
            inflated_bytes: 10,
            ..Limits::default()
        };
        check_refused(&gzip(&[1; 11]), &limits, true);
        check_refused(&[gzip(&[1; 6]), gzip(&[1; 7])].concat(), &limits, true);
        // A false size only costs another attempt.
        let mut false_size = gzip(&[1; 5000]);
        let end = false_size.len();
        false_size[end - 4..].copy_from_slice(&[0xff; 4]);
        check_refused(&false_size, &Limits::default(), false);
    }
}
