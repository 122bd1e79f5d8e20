//! Strings, numbers and lists.

use std::io::Write as _;

/// A string; bytes that are not UTF-8 become U+FFFD each.
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_inner(out, text);
    out.push(b'"');
}

/// A string without its quotes.
pub(super) fn write_inner(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(at) = first_special(rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let others = rest.iter().take_while(|b| !b.is_ascii()).count();
        if others == 0 {
            write_escape(out, rest[0]);
            rest = &rest[1..];
        } else {
            write_others(out, &rest[..others]);
            rest = &rest[others..];
        }
    }
    out.extend_from_slice(rest);
}

fn first_special(text: &[u8]) -> Option<usize> {
    let (chunks, rest) = text.as_chunks::<16>();
    for (i, chunk) in chunks.iter().enumerate() {
        // Without early exit, so that the compiler can look at all bytes at once.
        if chunk.iter().fold(false, |any, &b| any | is_special(b)) {
            let at = chunk.iter().position(|&b| is_special(b))?;
            return Some(16 * i + at);
        }
    }
    let at = rest.iter().position(|&b| is_special(b))?;
    Some(text.len() - rest.len() + at)
}

const fn is_special(b: u8) -> bool {
    (b < 0x20) | (b >= 0x80) | (b == b'"') | (b == b'\\') | (b == b'<') | (b == b'>') | (b == b'&')
}

/// An ASCII character that is special.
fn write_escape(out: &mut Vec<u8>, b: u8) {
    let short = match b {
        b'"' | b'\\' => b,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x8 => b'b',
        0xc => b'f',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let hex = [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]];
            out.extend_from_slice(b"\\u00");
            return out.extend_from_slice(&hex);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Bytes that are not ASCII.
fn write_others(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\u{2028}' => out.extend_from_slice(b"\\u2028"),
                '\u{2029}' => out.extend_from_slice(b"\\u2029"),
                c => {
                    let mut buffer = [0; 4];
                    out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
        for _ in chunk.invalid() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// A number; what JSON cannot say becomes null.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn write_float(out: &mut Vec<u8>, number: f64) {
    if !number.is_finite() {
        out.extend_from_slice(b"null");
    } else if number.trunc() == number && number.abs() < 1e15 {
        write_integer(out, number as i64);
    } else if number.abs() < 1e21 {
        // Writing to a vector cannot fail.
        let _ = write!(out, "{number}");
    } else {
        let _ = write!(out, "{number:e}");
    }
}

pub(super) fn write_integer(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

pub(super) fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// `,"key":"text"`; `key` comes with its punctuation.
pub(super) fn write_member(out: &mut Vec<u8>, key: &str, text: &[u8]) {
    out.extend_from_slice(key.as_bytes());
    write_string(out, text);
}

/// The same, unless the text is empty.
pub(super) fn write_optional(out: &mut Vec<u8>, key: &str, text: &[u8]) {
    if !text.is_empty() {
        write_member(out, key, text);
    }
}

/// `[…]`
pub(super) fn write_array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        let check = |text: &[u8], want: &str| {
            let mut out = Vec::new();
            write_string(&mut out, text);
            assert_eq!(String::from_utf8_lossy(&out), want);
        };
        check(b"", r#""""#);
        check(b"plain text", r#""plain text""#);
        check(b"a\"b\\c", r#""a\"b\\c""#);
        check(b"\n\r\t\x08\x0c\x01\x1f", r#""\n\r\t\b\f\u0001\u001f""#);
        check(b"<a&b>", r#""\u003ca\u0026b\u003e""#);
        check(
            "h\u{e9}\u{2028}\u{1f600}".as_bytes(),
            "\"h\u{e9}\\u2028\u{1f600}\"",
        );
        check(b"a\xff\xfeb", "\"a\u{fffd}\u{fffd}b\"");
        check(b"\xe2\x82", "\"\u{fffd}\u{fffd}\"");
        check(b"\x7f", "\"\u{7f}\"");
    }

    #[test]
    fn numbers_are_read_back() {
        for number in [0.0, -1.0, 0.5, 1.25, 1e15, 123_456_789.01, 1e300, -2.5e-9] {
            let mut out = Vec::new();
            write_float(&mut out, number);
            let text = String::from_utf8(out).expect("text");
            assert_eq!(text.parse::<f64>().expect("a number"), number);
            assert!(text.len() < 30);
        }
        let mut out = Vec::new();
        write_float(&mut out, f64::NAN);
        write_integer(&mut out, i64::MIN);
        assert_eq!(out, b"null-9223372036854775808");
    }
}
