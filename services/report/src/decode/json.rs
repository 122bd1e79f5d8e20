//! JSON, as lenient as Scope's codec: quoted numbers, scalars for strings, raw bytes in strings.

use super::DecodeError;
use super::source::{Container, Items, Result, Source, count_skipped};
use crate::time::Timestamp;

/// A JSON document.
pub(super) struct Json<'a> {
    bytes: &'a [u8],
    at: usize,
    skipped: u32,
    /// The last string that had escapes.
    unescaped: Vec<u8>,
}

/// Where a string is: in the document, or unescaped.
enum Text {
    At(usize, usize),
    Unescaped,
}

impl<'a> Json<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Json {
            bytes,
            at: 0,
            skipped: 0,
            unescaped: Vec::new(),
        }
    }

    /// The next byte that is not white space, unread. 0 at the end.
    fn peek(&mut self) -> u8 {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return byte;
            }
            self.at += 1;
        }
        0
    }

    fn expect(&mut self, byte: u8, reason: &'static str) -> Result<()> {
        if self.peek() != byte {
            return Err(self.malformed(reason));
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<()> {
        if !self.bytes[self.at..].starts_with(literal) {
            return Err(self.malformed("expected a value"));
        }
        self.at += literal.len();
        Ok(())
    }

    fn text(&mut self) -> Result<Text> {
        match self.peek() {
            b'"' => self.quoted(),
            b'n' => self.literal(b"null").map(|()| Text::At(0, 0)),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            _ => {
                let start = self.at;
                self.number()?;
                Ok(Text::At(start, self.at))
            }
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<Text> {
        let start = self.at;
        self.literal(word)?;
        Ok(Text::At(start, self.at))
    }

    fn quoted(&mut self) -> Result<Text> {
        self.at += 1;
        let start = self.at;
        self.plain()?;
        if self.bytes[self.at] == b'"' {
            self.at += 1;
            return Ok(Text::At(start, self.at - 1));
        }
        self.unescaped.clear();
        self.unescaped
            .extend_from_slice(&self.bytes[start..self.at]);
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            if byte == b'"' {
                return Ok(Text::Unescaped);
            }
            self.escape()?;
            let start = self.at;
            self.plain()?;
            self.unescaped
                .extend_from_slice(&self.bytes[start..self.at]);
        }
    }

    /// Goes to the next quote or backslash, which there must be.
    fn plain(&mut self) -> Result<()> {
        let rest = &self.bytes[self.at..];
        match rest.iter().position(|b| matches!(b, b'"' | b'\\')) {
            Some(n) => {
                self.at += n;
                Ok(())
            }
            None => Err(self.malformed("unexpected end of a string")),
        }
    }

    fn escape(&mut self) -> Result<()> {
        let Some(&byte) = self.bytes.get(self.at) else {
            return Err(self.malformed("unexpected end of a string"));
        };
        self.at += 1;
        let plain = match byte {
            b'"' | b'\\' | b'/' | b'\'' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let char = self.unicode()?;
                let mut utf8 = [0; 4];
                let utf8 = char.encode_utf8(&mut utf8);
                self.unescaped.extend_from_slice(utf8.as_bytes());
                return Ok(());
            }
            _ => return Err(self.malformed("unknown escape")),
        };
        self.unescaped.push(plain);
        Ok(())
    }

    /// A character after `\u`; half a surrogate pair is no character.
    fn unicode(&mut self) -> Result<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) || !self.bytes[self.at..].starts_with(b"\\u") {
            return Ok(char::from_u32(first).unwrap_or('\u{fffd}'));
        }
        let after_first = self.at;
        self.at += 2;
        let second = self.hex()?;
        if !(0xdc00..0xe000).contains(&second) {
            self.at = after_first;
            return Ok('\u{fffd}');
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        Ok(char::from_u32(code).unwrap_or('\u{fffd}'))
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.bytes[self.at..].first_chunk::<4>();
        let value = digits.and_then(|digits| {
            digits.iter().try_fold(0, |value, &digit| {
                Some(value * 16 + char::from(digit).to_digit(16)?)
            })
        });
        let value = value.ok_or_else(|| self.malformed("expected four hexadecimal digits"))?;
        self.at += 4;
        Ok(value)
    }

    /// Goes past a number, of which there must be something.
    fn number(&mut self) -> Result<()> {
        let start = self.at;
        let digits = |b: &&u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        self.at += self.bytes[start..].iter().take_while(digits).count();
        if self.at == start {
            return Err(self.malformed("expected a value"));
        }
        Ok(())
    }

    fn get(&self, text: &Text) -> &[u8] {
        match *text {
            Text::At(start, end) => &self.bytes[start..end],
            Text::Unescaped => &self.unescaped,
        }
    }

    /// A number, quoted or not.
    fn parse<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>, zero: T) -> Result<T> {
        if self.nil()? {
            return Ok(zero);
        }
        if matches!(self.peek(), b't' | b'f') {
            return Err(self.malformed("expected a number"));
        }
        let text = self.text()?;
        let number = std::str::from_utf8(self.get(&text)).ok().and_then(parse);
        number.ok_or_else(|| self.malformed("expected a number"))
    }
}

impl Source for Json<'_> {
    fn malformed(&self, reason: &'static str) -> DecodeError {
        DecodeError::Malformed {
            offset: self.at,
            reason,
        }
    }

    fn nil(&mut self) -> Result<bool> {
        match self.peek() {
            b'n' => self.literal(b"null").map(|()| true),
            _ => Ok(false),
        }
    }

    fn container(&mut self) -> Result<Option<Container>> {
        Ok(match self.peek() {
            b'{' => Some(Container::Map),
            b'[' => Some(Container::Array),
            _ => None,
        })
    }

    fn map(&mut self) -> Result<Items> {
        self.expect(b'{', "expected an object")?;
        Ok(Items {
            left: 0,
            first: true,
            end: b'}',
        })
    }

    fn array(&mut self) -> Result<Items> {
        self.expect(b'[', "expected an array")?;
        Ok(Items {
            left: 0,
            first: true,
            end: b']',
        })
    }

    fn next(&mut self, items: &mut Items) -> Result<bool> {
        if self.peek() == items.end {
            self.at += 1;
            return Ok(false);
        }
        if !items.first {
            self.expect(b',', "expected a comma")?;
        }
        items.first = false;
        Ok(true)
    }

    fn colon(&mut self) -> Result<()> {
        self.expect(b':', "expected a colon")
    }

    fn string(&mut self) -> Result<&[u8]> {
        let text = self.text()?;
        Ok(self.get(&text))
    }

    fn time(&mut self) -> Result<Timestamp> {
        if self.nil()? {
            return Ok(Timestamp::default());
        }
        let reason = "expected an RFC 3339 time";
        if self.peek() != b'"' {
            return Err(self.malformed(reason));
        }
        let text = self.text()?;
        Timestamp::from_rfc3339(self.get(&text)).ok_or_else(|| self.malformed(reason))
    }

    fn float(&mut self) -> Result<f64> {
        let finite = |text: &str| text.parse().ok().filter(|f: &f64| f.is_finite());
        self.parse(finite, 0.0)
    }

    fn int(&mut self) -> Result<i64> {
        self.parse(|text| text.parse().ok().or_else(|| integral(text)), 0)
    }

    fn uint(&mut self) -> Result<u64> {
        let positive = |text: &str| integral(text).and_then(|i| u64::try_from(i).ok());
        self.parse(|text| text.parse().ok().or_else(|| positive(text)), 0)
    }

    fn bool(&mut self) -> Result<bool> {
        match self.peek() {
            b'n' => self.literal(b"null").map(|()| false),
            b't' => self.literal(b"true").map(|()| true),
            b'f' => self.literal(b"false").map(|()| false),
            _ => Err(self.malformed("expected true or false")),
        }
    }

    fn skip(&mut self, depth: usize) -> Result<()> {
        count_skipped(&mut self.skipped)?;
        let Some(container) = self.container()? else {
            return self.text().map(|_| ());
        };
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.malformed("nested too deeply"));
        };
        let mut items = match container {
            Container::Map => self.map()?,
            Container::Array => self.array()?,
        };
        while self.next(&mut items)? {
            if container == Container::Map {
                self.text()?;
                self.colon()?;
            }
            self.skip(depth)?;
        }
        Ok(())
    }
}

/// `3e9` is a whole number, too.
fn integral(text: &str) -> Option<i64> {
    let float: f64 = text.parse().ok()?;
    (float.fract() == 0.0 && float.abs() < 9.2e18).then_some(float as i64)
}
