//! Writes msgpack in the dialect of Scope: the old specification, in which strings and blobs are one family, so that
//! `str8` and `bin` are never used, and times are 15-byte blobs.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds from 0001-01-01 to 1970-01-01, both at midnight UTC.
const YEAR_ONE_TO_UNIX: i64 = 62_135_596_800;
/// The zone offset, in minutes, that a Scope probe on a machine in UTC sends.
const ZONE_MINUTES: i16 = 0;

/// A buffer to write values to.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            out: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    pub(crate) fn nil(&mut self) {
        self.out.push(0xc0);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.out.push(if value { 0xc3 } else { 0xc2 });
    }

    pub(crate) fn uint(&mut self, value: u64) {
        if value < 0x80 {
            self.out.push(value as u8);
        } else if let Ok(value) = u8::try_from(value) {
            self.out.extend([0xcc, value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.tagged(0xcd, &value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.tagged(0xce, &value.to_be_bytes());
        } else {
            self.tagged(0xcf, &value.to_be_bytes());
        }
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.tagged(0xcb, &value.to_be_bytes());
    }

    pub(crate) fn str(&mut self, value: &str) {
        self.raw(value.as_bytes());
    }

    pub(crate) fn time(&mut self, value: SystemTime) {
        self.raw(&blob(value, ZONE_MINUTES));
    }

    pub(crate) fn zero_time(&mut self) {
        let mut bytes = [0; 15];
        bytes[0] = 1;
        bytes[13..].copy_from_slice(&(-1_i16).to_be_bytes());
        self.raw(&bytes);
    }

    pub(crate) fn array(&mut self, len: usize) {
        self.header(len, 0x90, 0xdc);
    }

    pub(crate) fn map(&mut self, len: usize) {
        self.header(len, 0x80, 0xde);
    }

    fn raw(&mut self, bytes: &[u8]) {
        match bytes.len() {
            len @ 0..32 => self.out.push(0xa0 | len as u8),
            len if len <= usize::from(u16::MAX) => self.tagged(0xda, &(len as u16).to_be_bytes()),
            len => self.tagged(0xdb, &(len as u32).to_be_bytes()),
        }
        self.out.extend_from_slice(bytes);
    }

    /// `wide` is the code with a 16-bit length; the one with 32 bits follows it.
    fn header(&mut self, len: usize, fixed: u8, wide: u8) {
        match len {
            0..16 => self.out.push(fixed | len as u8),
            _ if len <= usize::from(u16::MAX) => self.tagged(wide, &(len as u16).to_be_bytes()),
            _ => self.tagged(wide + 1, &(len as u32).to_be_bytes()),
        }
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.out.push(tag);
        self.out.extend_from_slice(bytes);
    }
}

/// The binary form of Go's `time.Time`, version 1.
fn blob(value: SystemTime, zone_minutes: i16) -> [u8; 15] {
    let (seconds, nanos) = match value.duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_secs() as i64, after.subsec_nanos()),
        // Times before 1970 do not occur in what a probe sees: the epoch is as good as any.
        Err(_) => (0, 0),
    };
    let mut out = [0; 15];
    out[0] = 1;
    out[1..9].copy_from_slice(&(seconds + YEAR_ONE_TO_UNIX).to_be_bytes());
    out[9..13].copy_from_slice(&nanos.to_be_bytes());
    out[13..].copy_from_slice(&zone_minutes.to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn written(write: impl FnOnce(&mut Writer)) -> String {
        let mut writer = Writer::default();
        write(&mut writer);
        hex(&writer.into_bytes())
    }

    #[test]
    fn times_are_the_reference_blobs() {
        let time = UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
        assert_eq!(hex(&blob(time, -1)), "010000000edce5e800075bcd15ffff");
        assert_eq!(hex(&blob(time, -300)), "010000000edce5e800075bcd15fed4");
        assert_eq!(
            written(Writer::zero_time),
            "af01000000000000000000000000ffff"
        );
    }

    #[test]
    fn strings_skip_the_eight_bit_form() {
        assert_eq!(written(|w| w.str("a;1")), "a3613b31");
        assert!(written(|w| w.str(&"x".repeat(31))).starts_with("bf78"));
        assert!(written(|w| w.str(&"x".repeat(32))).starts_with("da002078"));
        assert!(written(|w| w.str(&"x".repeat(65_536))).starts_with("db0001000078"));
    }

    #[test]
    fn numbers_take_the_smallest_form() {
        for (value, bytes) in [
            (0, "00"),
            (127, "7f"),
            (128, "cc80"),
            (256, "cd0100"),
            (65_536, "ce00010000"),
            (u64::MAX, "cfffffffffffffffff"),
        ] {
            assert_eq!(written(|w| w.uint(value)), bytes);
        }
        assert_eq!(written(|w| w.f64(1.0)), "cb3ff0000000000000");
        assert_eq!(written(|w| w.bool(true)), "c3");
        assert_eq!(written(Writer::nil), "c0");
    }

    #[test]
    fn containers_grow_their_header() {
        assert_eq!(written(|w| w.map(15)), "8f");
        assert_eq!(written(|w| w.map(30)), "de001e");
        assert_eq!(written(|w| w.map(65_536)), "df00010000");
        assert_eq!(written(|w| w.array(1)), "91");
        assert_eq!(written(|w| w.array(16)), "dc0010");
    }
}
