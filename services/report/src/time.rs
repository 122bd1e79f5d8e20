//! Moments as probes send them.

mod calendar;

use calendar::{Date, date_of_days, days_of_date};

/// Seconds from 0001-01-01T00:00:00Z to the Unix epoch.
pub const UNIX_EPOCH: i64 = 62_135_596_800;

/// 9999-12-31T23:59:59Z: later times have no RFC 3339 form.
const LAST_SECOND: i64 = 315_537_897_599;

/// 0000-01-01T00:00:00Z: neither have earlier ones.
const FIRST_SECOND: i64 = -366 * DAY;

const DAY: i64 = 86_400;

/// How many seconds a sender's clock may be ahead of ours before we stop believing it.
const SKEW: i64 = 300;

/// A moment with the zone it was written in. The default is the zero time, 0001-01-01T00:00:00Z.
///
/// Comparing compares the moment, never the zone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timestamp {
    /// Since 0001-01-01T00:00:00Z.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    #[must_use]
    pub fn from_unix_nanos(nanos: i64) -> Self {
        Timestamp {
            seconds: nanos.div_euclid(1_000_000_000) + UNIX_EPOCH,
            nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
            offset_minutes: 0,
        }
    }

    /// Nanoseconds since the Unix epoch, or the nearest that an `i64` can hold (years 1677 to 2262).
    #[must_use]
    pub fn unix_nanos(self) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(UNIX_EPOCH);
        let nanos = seconds * 1_000_000_000 + i128::from(self.nanos);
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whether this is the zero time.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.seconds == 0 && self.nanos == 0
    }

    /// The latest time that what was received now can be about.
    #[must_use]
    pub(crate) fn latest_believable(self) -> Self {
        Timestamp {
            seconds: self.seconds.saturating_add(SKEW),
            ..self
        }
    }

    /// From Go's binary form: a version, seconds, nanoseconds, and the zone in minutes (version 2: and seconds).
    #[must_use]
    pub fn from_binary(bytes: &[u8]) -> Option<Self> {
        let (&[version, ref time @ ..], rest) = bytes.split_first_chunk::<15>()?;
        if !matches!((version, rest.len()), (1, 0) | (2, 1)) {
            return None;
        }
        let (seconds, time) = time.split_first_chunk()?;
        let (nanos, offset) = time.split_first_chunk()?;
        let offset = i16::from_be_bytes(*offset.first_chunk()?);
        Some(Timestamp {
            seconds: i64::from_be_bytes(*seconds),
            nanos: u32::from_be_bytes(*nanos).min(999_999_999),
            // Go writes -1 for UTC.
            offset_minutes: if offset == -1 { 0 } else { offset },
        })
    }

    /// Go's binary form.
    #[must_use]
    pub fn to_binary(self) -> [u8; 15] {
        let offset = if self.offset_minutes == 0 {
            -1
        } else {
            self.offset_minutes
        };
        let mut out = [1; 15];
        out[1..9].copy_from_slice(&self.seconds.to_be_bytes());
        out[9..13].copy_from_slice(&self.nanos.to_be_bytes());
        out[13..].copy_from_slice(&offset.to_be_bytes());
        out
    }

    /// From `2006-01-02T15:04:05.999999999Z` or the same with an offset.
    #[must_use]
    pub fn from_rfc3339(text: &[u8]) -> Option<Self> {
        let (date, time) = text.split_first_chunk::<11>()?;
        let (clock, rest) = time.split_first_chunk::<8>()?;
        let &[_, _, _, _, b'-', m1, m2, b'-', d1, d2, b'T'] = date else {
            return None;
        };
        let &[h1, h2, b':', i1, i2, b':', s1, s2] = clock else {
            return None;
        };
        let date = Date {
            year: digits(&date[..4])?,
            month: digits(&[m1, m2])?,
            day: digits(&[d1, d2])?,
        };
        let (hour, minute, second) = (digits(&[h1, h2])?, digits(&[i1, i2])?, digits(&[s1, s2])?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (nanos, zone) = fraction(rest)?;
        let offset = zone_minutes(zone)?;
        let local = days_of_date(date)? * DAY + hour * 3600 + minute * 60 + second;
        Some(Timestamp {
            seconds: local - i64::from(offset) * 60,
            nanos,
            offset_minutes: offset,
        })
    }

    /// Appends the RFC 3339 form, with as many digits as are needed.
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        // A day's worth of offset has no form; the moment is what matters.
        let offset = match i64::from(self.offset_minutes) {
            offset if offset.abs() < 24 * 60 => offset,
            _ => 0,
        };
        let local = self.seconds.clamp(FIRST_SECOND, LAST_SECOND) + offset * 60;
        let local = local.clamp(FIRST_SECOND, LAST_SECOND);
        let Date { year, month, day } = date_of_days(local.div_euclid(DAY));
        let second = local.rem_euclid(DAY);
        padded(out, year, 4);
        out.push(b'-');
        padded(out, month, 2);
        out.push(b'-');
        padded(out, day, 2);
        out.push(b'T');
        padded(out, second / 3600, 2);
        out.push(b':');
        padded(out, second / 60 % 60, 2);
        out.push(b':');
        padded(out, second % 60, 2);
        if self.nanos != 0 {
            out.push(b'.');
            padded(out, i64::from(self.nanos), 9);
            while out.last() == Some(&b'0') {
                out.pop();
            }
        }
        if offset == 0 {
            return out.push(b'Z');
        }
        out.push(if offset < 0 { b'-' } else { b'+' });
        padded(out, offset.abs() / 60, 2);
        out.push(b':');
        padded(out, offset.abs() % 60, 2);
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + i64::from(digit - b'0'))
    })
}

/// Nanoseconds, of which more digits than nine are dropped, and the rest.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let n = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (fraction, rest) = text.split_at(n);
    let mut nanos = 0;
    for i in 0..9 {
        let digit = fraction.get(i).map_or(0, |d| u32::from(d - b'0'));
        nanos = nanos * 10 + digit;
    }
    (n > 0).then_some((nanos, rest))
}

fn zone_minutes(text: &[u8]) -> Option<i16> {
    let (sign, h1, h2, m1, m2) = match *text {
        [b'Z'] => return Some(0),
        [b'+', h1, h2, b':', m1, m2] => (1, h1, h2, m1, m2),
        [b'-', h1, h2, b':', m1, m2] => (-1, h1, h2, m1, m2),
        _ => return None,
    };
    let (hours, minutes) = (digits(&[h1, h2])?, digits(&[m1, m2])?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    i16::try_from(sign * (hours * 60 + minutes)).ok()
}

fn padded(out: &mut Vec<u8>, number: i64, width: usize) {
    let end = out.len() + width;
    out.resize(end, b'0');
    let mut number = number;
    for slot in out[end - width..].iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        (self.seconds, self.nanos) == (other.seconds, other.nanos)
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.seconds, self.nanos).cmp(&(other.seconds, other.nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_both(text: &str, binary: &[u8]) {
        let from_text = Timestamp::from_rfc3339(text.as_bytes()).expect(text);
        let from_binary = Timestamp::from_binary(binary).expect(text);
        assert_eq!(from_text, from_binary, "{text}");
        assert_eq!(from_text.to_binary(), binary, "{text}");
        check_text(text);
    }

    fn check_text(text: &str) {
        let mut out = Vec::new();
        let time = Timestamp::from_rfc3339(text.as_bytes()).expect(text);
        time.write_rfc3339(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), text);
    }

    #[test]
    fn golden_times_are_read_and_written() {
        check_both(
            "0001-01-01T00:00:00Z",
            &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
        );
        check_both(
            "2023-11-14T22:13:20.123456789Z",
            &[
                1, 0, 0, 0, 0x0e, 0xdc, 0xe5, 0xe8, 0, 7, 0x5b, 0xcd, 0x15, 0xff, 0xff,
            ],
        );
        check_both(
            "2023-11-14T17:13:20.123456789-05:00",
            &[
                1, 0, 0, 0, 0x0e, 0xdc, 0xe5, 0xe8, 0, 7, 0x5b, 0xcd, 0x15, 0xfe, 0xd4,
            ],
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for text in [
            "0000-01-01T00:00:00Z",
            "0000-12-31T23:59:59Z",
            "1600-02-29T00:00:00Z",
            "1900-03-01T00:00:00Z",
            "1999-12-31T23:59:59.5Z",
            "2000-02-29T12:00:00+05:30",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            check_text(text);
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "2019-02-29T00:00:00Z",
            "2019-13-01T00:00:00Z",
            "2019-01-01T24:00:00Z",
            "2019-01-01T00:00:00",
            "2019-01-01 00:00:00Z",
            "2019-01-01T00:00:00.Z",
            "2019-01-01T00:00:00+0530",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn impossible_zones_are_written_as_utc() {
        let time = Timestamp {
            seconds: 0,
            nanos: 0,
            offset_minutes: i16::MIN,
        };
        let mut out = Vec::new();
        time.write_rfc3339(&mut out);
        assert_eq!(out, b"0001-01-01T00:00:00Z");
    }

    #[test]
    fn extreme_times_are_written_as_the_nearest_possible() {
        for (seconds, text) in [
            (i64::MIN, "0000-01-01T00:00:00Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            let time = Timestamp {
                seconds,
                ..Timestamp::default()
            };
            let mut out = Vec::new();
            time.write_rfc3339(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
            assert_ne!(time.unix_nanos(), 0);
        }
    }
}
