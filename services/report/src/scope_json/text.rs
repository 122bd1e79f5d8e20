//! Strings, numbers and lists.

use std::io::Write as _;

/// What is special about each byte in a JSON string: 0 for nothing.
const SPECIAL: [u8; 256] = {
    let mut special = [0; 256];
    let mut i = 0;
    while i < 256 {
        if i < 0x20 || i >= 0x80 || matches!(i as u8, b'"' | b'\\' | b'<' | b'>' | b'&') {
            special[i] = 1;
        }
        i += 1;
    }
    special
};

/// A string; bytes that are not UTF-8 become U+FFFD each.
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_inner(out, text);
    out.push(b'"');
}

/// A string without its quotes.
pub(super) fn write_inner(out: &mut Vec<u8>, text: &[u8]) {
    match text.iter().position(|&b| SPECIAL[b as usize] != 0) {
        None => out.extend_from_slice(text),
        Some(at) => {
            out.extend_from_slice(&text[..at]);
            write_special(out, &text[at..]);
        }
    }
}

#[cold]
fn write_special(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            write_char(out, c);
        }
        for _ in chunk.invalid() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn write_char(out: &mut Vec<u8>, c: char) {
    let short: &[u8] = match c {
        '"' => b"\\\"",
        '\\' => b"\\\\",
        '\n' => b"\\n",
        '\r' => b"\\r",
        '\t' => b"\\t",
        '\u{8}' => b"\\b",
        '\u{c}' => b"\\f",
        '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let code = u32::from(c);
            out.extend_from_slice(b"\\u");
            for shift in [12, 8, 4, 0] {
                out.push(HEX[(code >> shift & 15) as usize]);
            }
            return;
        }
        c => {
            let mut buffer = [0; 4];
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            return;
        }
    };
    out.extend_from_slice(short);
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
