//! msgpack as Scope's codec writes it (the old spec) and reads it.

use super::DecodeError;
use super::source::{Container, Items, Result, Source, count_skipped};
use crate::time::Timestamp;

const NIL: u8 = 0xc0;

/// A msgpack document.
pub(super) struct Msgpack<'a> {
    bytes: &'a [u8],
    at: usize,
    skipped: u32,
}

impl<'a> Msgpack<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Msgpack {
            bytes,
            at: 0,
            skipped: 0,
        }
    }

    fn peek(&self) -> Result<u8> {
        match self.bytes.get(self.at) {
            Some(&byte) => Ok(byte),
            None => Err(self.malformed("unexpected end")),
        }
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        match self.bytes[self.at..].get(..n) {
            Some(taken) => {
                self.at += n;
                Ok(taken)
            }
            None => Err(self.malformed("unexpected end")),
        }
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.bytes[self.at..].first_chunk() {
            Some(taken) => {
                self.at += N;
                Ok(*taken)
            }
            None => Err(self.malformed("unexpected end")),
        }
    }

    fn length(&mut self, bytes: u32) -> Result<usize> {
        Ok(match bytes {
            1 => self.byte()? as usize,
            2 => u16::from_be_bytes(self.fixed()?) as usize,
            _ => u32::from_be_bytes(self.fixed()?) as usize,
        })
    }

    /// A string or blob; nil is empty.
    fn blob(&mut self) -> Result<&'a [u8]> {
        let tag = self.byte()?;
        let n = match tag {
            0xa0..=0xbf => (tag & 0x1f) as usize,
            0xd9 | 0xc4 => self.length(1)?,
            0xda | 0xc5 => self.length(2)?,
            0xdb | 0xc6 => self.length(4)?,
            NIL => 0,
            _ => return Err(self.unexpected("expected a string")),
        };
        self.take(n)
    }

    /// For a tag that was already consumed.
    fn unexpected(&self, reason: &'static str) -> DecodeError {
        DecodeError::Malformed {
            offset: self.at.saturating_sub(1),
            reason,
        }
    }

    /// Every item takes a byte at least, so a declared number can be refused before anything is made of it.
    fn items(&self, n: usize, bytes_each: usize) -> Result<Items> {
        if n.saturating_mul(bytes_each) > self.bytes.len() - self.at {
            return Err(self.malformed("more items declared than there are bytes"));
        }
        Ok(Items {
            left: n as u32,
            first: true,
            end: 0,
        })
    }

    fn integer(&mut self, tag: u8) -> Result<i128> {
        Ok(match tag {
            0x00..=0x7f => i128::from(tag),
            0xe0..=0xff => i128::from(tag as i8),
            0xcc => i128::from(self.byte()?),
            0xcd => i128::from(u16::from_be_bytes(self.fixed()?)),
            0xce => i128::from(u32::from_be_bytes(self.fixed()?)),
            0xcf => i128::from(u64::from_be_bytes(self.fixed()?)),
            0xd0 => i128::from(self.byte()? as i8),
            0xd1 => i128::from(i16::from_be_bytes(self.fixed()?)),
            0xd2 => i128::from(i32::from_be_bytes(self.fixed()?)),
            0xd3 => i128::from(i64::from_be_bytes(self.fixed()?)),
            NIL => 0,
            _ => return Err(self.unexpected("expected a number")),
        })
    }
}

impl Source for Msgpack<'_> {
    fn malformed(&self, reason: &'static str) -> DecodeError {
        DecodeError::Malformed {
            offset: self.at,
            reason,
        }
    }

    fn nil(&mut self) -> Result<bool> {
        let nil = self.peek()? == NIL;
        self.at += usize::from(nil);
        Ok(nil)
    }

    fn container(&mut self) -> Result<Option<Container>> {
        Ok(match self.peek()? {
            0x80..=0x8f | 0xde | 0xdf => Some(Container::Map),
            0x90..=0x9f | 0xdc | 0xdd => Some(Container::Array),
            _ => None,
        })
    }

    fn map(&mut self) -> Result<Items> {
        let tag = self.byte()?;
        let n = match tag {
            0x80..=0x8f => (tag & 0x0f) as usize,
            0xde => self.length(2)?,
            0xdf => self.length(4)?,
            _ => return Err(self.unexpected("expected a map")),
        };
        self.items(n, 2)
    }

    fn array(&mut self) -> Result<Items> {
        let tag = self.byte()?;
        let n = match tag {
            0x90..=0x9f => (tag & 0x0f) as usize,
            0xdc => self.length(2)?,
            0xdd => self.length(4)?,
            _ => return Err(self.unexpected("expected an array")),
        };
        self.items(n, 1)
    }

    fn next(&mut self, items: &mut Items) -> Result<bool> {
        let more = items.left > 0;
        items.left -= u32::from(more);
        Ok(more)
    }

    fn colon(&mut self) -> Result<()> {
        Ok(())
    }

    fn string(&mut self) -> Result<&[u8]> {
        self.blob()
    }

    fn time(&mut self) -> Result<Timestamp> {
        if self.nil()? {
            return Ok(Timestamp::default());
        }
        let offset = self.at;
        Timestamp::from_binary(self.blob()?).ok_or(DecodeError::Malformed {
            offset,
            reason: "expected a binary time",
        })
    }

    fn float(&mut self) -> Result<f64> {
        match self.byte()? {
            0xca => Ok(f64::from(f32::from_be_bytes(self.fixed()?))),
            0xcb => Ok(f64::from_be_bytes(self.fixed()?)),
            tag => self.integer(tag).map(|i| i as f64),
        }
    }

    fn int(&mut self) -> Result<i64> {
        let tag = self.byte()?;
        // Unsigned 64-bit numbers beyond the signed range wrap, as they do in Go.
        self.integer(tag).map(|i| i as i64)
    }

    fn uint(&mut self) -> Result<u64> {
        let tag = self.byte()?;
        let number = self.integer(tag)?;
        u64::try_from(number).map_err(|_| self.unexpected("expected a positive number"))
    }

    fn bool(&mut self) -> Result<bool> {
        match self.byte()? {
            0xc2 | 0x00 | NIL => Ok(false),
            0xc3 | 0x01 => Ok(true),
            _ => Err(self.unexpected("expected true or false")),
        }
    }

    fn skip(&mut self, depth: usize) -> Result<()> {
        count_skipped(&mut self.skipped)?;
        let tag = self.byte()?;
        let bytes = match tag {
            0x00..=0x7f | 0xe0..=0xff | NIL | 0xc2 | 0xc3 => 0,
            0x80..=0x9f | 0xdc..=0xdf => {
                self.at -= 1;
                return self.skip_container(depth);
            }
            0xa0..=0xbf => (tag & 0x1f) as usize,
            0xc4 | 0xd9 => self.length(1)?,
            0xc5 | 0xda => self.length(2)?,
            0xc6 | 0xdb => self.length(4)?,
            0xc7 => self.length(1)? + 1,
            0xc8 => self.length(2)? + 1,
            0xc9 => self.length(4)? + 1,
            0xca | 0xce | 0xd2 => 4,
            0xcb | 0xcf | 0xd3 => 8,
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 => 2,
            0xd4..=0xd8 => (1 << (tag - 0xd4)) + 1,
            0xc1 => return Err(self.unexpected("not msgpack")),
        };
        self.take(bytes).map(|_| ())
    }
}

impl Msgpack<'_> {
    fn skip_container(&mut self, depth: usize) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.malformed("nested too deeply"));
        };
        let (items, each) = match self.container()? {
            Some(Container::Map) => (self.map()?, 2),
            _ => (self.array()?, 1),
        };
        for _ in 0..u64::from(items.left) * each {
            self.skip(depth)?;
        }
        Ok(())
    }
}
