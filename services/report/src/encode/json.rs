//! JSON as Scope's codec writes it.

use std::io::Write;

use super::out::Out;
use crate::time::Timestamp;

/// Writes JSON.
pub(super) struct Json<'a> {
    out: &'a mut Vec<u8>,
    /// Nothing has been written into the innermost container.
    first: bool,
}

impl<'a> Json<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Json { out, first: true }
    }

    fn open(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.first = true;
    }

    fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.first = false;
    }
}

impl Out for Json<'_> {
    fn map(&mut self, _: usize) {
        self.open(b'{');
    }

    fn end_map(&mut self) {
        self.close(b'}');
    }

    fn array(&mut self, _: usize) {
        self.open(b'[');
    }

    fn end_array(&mut self) {
        self.close(b']');
    }

    fn key(&mut self, key: &[u8]) {
        self.item();
        self.string(key);
        self.out.push(b':');
    }

    fn item(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }

    fn nil(&mut self) {
        self.out.extend_from_slice(b"null");
    }

    fn bool(&mut self, value: bool) {
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn int(&mut self, value: i64) {
        let _ = write!(self.out, "{value}");
    }

    fn uint(&mut self, value: u64) {
        let _ = write!(self.out, "{value}");
    }

    fn float(&mut self, value: f64) {
        write_float(self.out, value);
    }

    fn string(&mut self, value: &[u8]) {
        self.out.push(b'"');
        for chunk in value.utf8_chunks() {
            write_text(self.out, chunk.valid());
            for _ in chunk.invalid() {
                self.out.extend_from_slice(b"\\ufffd");
            }
        }
        self.out.push(b'"');
    }

    fn time(&mut self, value: Timestamp) {
        self.out.push(b'"');
        value.write_rfc3339(self.out);
        self.out.push(b'"');
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut start = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        let plain = !matches!(byte, 0..0x20 | b'"' | b'\\' | b'<' | b'>' | b'&' | 0xe2);
        if plain {
            continue;
        }
        let escaped: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            // U+2028 and U+2029 end lines in JavaScript.
            0xe2 => match bytes.get(i + 1..i + 3) {
                Some([0x80, 0xa8]) => b"\\u2028",
                Some([0x80, 0xa9]) => b"\\u2029",
                _ => continue,
            },
            _ => &[],
        };
        out.extend_from_slice(&bytes[start..i]);
        out.extend_from_slice(escaped);
        if escaped.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        }
        start = if byte == 0xe2 { i + 3 } else { i + 1 };
    }
    out.extend_from_slice(&bytes[start..]);
}

/// The shortest form, as Go's `G` with a decimal point. What is no number in JSON becomes null.
fn write_float(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        return out.extend_from_slice(b"null");
    }
    // `-1.234e-5`: sign, digits, exponent.
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{mantissa}E{sign}{:02}", exponent.abs());
        return;
    }
    let start = out.len();
    let _ = write!(out, "{value}");
    if !out[start..].contains(&b'.') {
        out.extend_from_slice(b".0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_float(value: f64, expected: &str) {
        let mut out = Vec::new();
        write_float(&mut out, value);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    fn check_string(value: &[u8], expected: &str) {
        let mut out = Vec::new();
        Json::new(&mut out).string(value);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn floats_are_written_like_scope() {
        for (value, expected) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1e7, "1E+07"),
            (999_999.0, "999999.0"),
            (1_000_000.0, "1E+06"),
            (1_234_567.0, "1.234567E+06"),
            (123_456.789, "123456.789"),
            (1.844_674_407_370_955_2e19, "1.8446744073709552E+19"),
            (0.0001, "0.0001"),
            (0.000_01, "1E-05"),
            (-2.5e-300, "-2.5E-300"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ] {
            check_float(value, expected);
        }
    }

    #[test]
    fn strings_are_written_like_scope() {
        check_string(
            b"h;<host> & \"x\\\"",
            r#""h;\u003chost\u003e \u0026 \"x\\\"""#,
        );
        check_string("\u{2028}☃\u{2029}".as_bytes(), r#""\u2028☃\u2029""#);
        check_string(b"\0\n\t\x1f\x7f", "\"\\u0000\\n\\t\\u001f\x7f\"");
        check_string(
            b"a\xffb\xe2\x98c\xed\xa0\x80",
            r#""a\ufffdb\ufffd\ufffdc\ufffd\ufffd\ufffd""#,
        );
    }
}
