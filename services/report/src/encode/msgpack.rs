//! msgpack as Scope's codec writes it: the old spec, without str8 and bin.

use super::out::Out;
use crate::time::Timestamp;

/// Writes msgpack.
pub(super) struct Msgpack<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Msgpack<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Msgpack { out }
    }

    /// A length after the tag of its size: in the tag if below `short`, else in two or four bytes.
    fn length(&mut self, n: usize, short: (usize, u8), long: u8) {
        if n < short.0 {
            self.out.push(short.1 | n as u8);
        } else if let Ok(n) = u16::try_from(n) {
            self.out.push(long);
            self.out.extend_from_slice(&n.to_be_bytes());
        } else {
            self.out.push(long + 1);
            self.out.extend_from_slice(&(n as u32).to_be_bytes());
        }
    }
}

impl Out for Msgpack<'_> {
    fn map(&mut self, members: usize) {
        self.length(members, (16, 0x80), 0xde);
    }

    fn end_map(&mut self) {}

    fn array(&mut self, items: usize) {
        self.length(items, (16, 0x90), 0xdc);
    }

    fn end_array(&mut self) {}

    fn key(&mut self, key: &[u8]) {
        self.string(key);
    }

    fn item(&mut self) {}

    fn nil(&mut self) {
        self.out.push(0xc0);
    }

    fn bool(&mut self, value: bool) {
        self.out.push(0xc2 + u8::from(value));
    }

    fn int(&mut self, value: i64) {
        if let Ok(value) = u64::try_from(value) {
            return self.uint(value);
        }
        if value >= -32 {
            self.out.push(value as u8);
        } else if let Ok(value) = i8::try_from(value) {
            self.out.extend_from_slice(&[0xd0, value as u8]);
        } else if let Ok(value) = i16::try_from(value) {
            self.out.push(0xd1);
            self.out.extend_from_slice(&value.to_be_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.out.push(0xd2);
            self.out.extend_from_slice(&value.to_be_bytes());
        } else {
            self.out.push(0xd3);
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    }

    fn uint(&mut self, value: u64) {
        if value < 0x80 {
            self.out.push(value as u8);
        } else if let Ok(value) = u8::try_from(value) {
            self.out.extend_from_slice(&[0xcc, value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.out.push(0xcd);
            self.out.extend_from_slice(&value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.out.push(0xce);
            self.out.extend_from_slice(&value.to_be_bytes());
        } else {
            self.out.push(0xcf);
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    }

    fn float(&mut self, value: f64) {
        self.out.push(0xcb);
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn string(&mut self, value: &[u8]) {
        self.length(value.len(), (32, 0xa0), 0xda);
        self.out.extend_from_slice(value);
    }

    fn time(&mut self, value: Timestamp) {
        self.string(&value.to_binary());
    }
}
