//! Scope's query parameters as a [`Selection`].

use std::time::Duration;

use prost_types::Timestamp;
use proto::query::v1::{OptionChoice, Selection};

use crate::error::ApiError;

/// Parameters that are not option groups.
const RESERVED: [&str; 5] = [
    "t",
    "timestamp",
    "hideCommandLineArguments",
    "hideEnvironmentVariables",
    "sparse",
];

/// Options that a request may name; the rest is ignored.
const OPTIONS: usize = 64;

/// The parameters of a raw query string, decoded. As in Scope's app, one with a broken escape is left out.
pub(crate) fn parameters(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((text(name)?, text(value)?))
        })
        .collect()
}

/// What a request selects. As in Scope's app, no parameter at all means no filter at all, not even the defaults.
pub(crate) fn selection(query: &str) -> Result<Selection, ApiError> {
    let parameters = parameters(query);
    let is_true = |name| first(&parameters, name) == Some("true");
    let at = first(&parameters, "timestamp").filter(|text| !text.is_empty());
    let at = at.map(timestamp).transpose()?;
    let mut options: Vec<OptionChoice> = Vec::new();
    for (name, value) in &parameters {
        let known = options.iter().any(|o| o.group_id == *name);
        if known || RESERVED.contains(&name.as_str()) || options.len() == OPTIONS {
            continue;
        }
        options.push(OptionChoice {
            group_id: name.clone(),
            values: value.split(',').map(str::to_owned).collect(),
        });
    }
    Ok(Selection {
        unfiltered: query.is_empty(),
        options,
        at,
        hide_command_line_arguments: is_true("hideCommandLineArguments"),
        hide_environment_variables: is_true("hideEnvironmentVariables"),
    })
}

/// A moment as RFC 3339 writes it. A `+` that was not escaped has become a blank, of which it has no other.
fn timestamp(text: &str) -> Result<Timestamp, ApiError> {
    let malformed = || {
        let cut: String = text.chars().take(64).collect();
        ApiError::bad_request(format!("timestamp: {cut} is no RFC 3339 date and time"))
    };
    // The parser also takes dates alone.
    if !text.contains(['T', 't']) {
        return Err(malformed());
    }
    text.replace(' ', "+").parse().map_err(|_| malformed())
}

/// The first value of a parameter.
pub(crate) fn first<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = parameters.iter().find(|(n, _)| n == name);
    found.map(|(_, value)| value.as_str())
}

fn text(escaped: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&unescape(escaped)?).into_owned())
}

/// Undoes query escaping: `+` is a blank, `%2F` a slash. None if an escape is broken.
pub(crate) fn unescape(escaped: &str) -> Option<Vec<u8>> {
    let bytes = escaped.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'%' => {
                let hex = std::str::from_utf8(bytes.get(i + 1..i + 3)?).ok()?;
                let digits = hex.bytes().all(|b| b.is_ascii_hexdigit());
                out.push(u8::from_str_radix(hex, 16).ok().filter(|_| digits)?);
                i += 2;
            }
            b'+' => out.push(b' '),
            byte => out.push(byte),
        }
        i += 1;
    }
    Some(out)
}

/// A duration in Go's notation: `5s`, `1m30s`, `500ms`, `1.5h`. Negative ones count as zero.
pub(crate) fn go_duration(text: &str) -> Option<Duration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() || rest.len() > 64 {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        seconds += number
            * match &rest[..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" | "μs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    if negative {
        return Some(Duration::ZERO);
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(query: &str) -> Selection {
        super::selection(query).expect("a selection")
    }

    #[test]
    fn moments_are_rfc_3339() {
        let check = |text: &str, expected: Option<(i64, i32)>| {
            let selection = super::selection(&format!("timestamp={text}"));
            let at = selection.ok().and_then(|selection| selection.at);
            assert_eq!(at.map(|at| (at.seconds, at.nanos)), expected, "{text}");
        };
        check("2020-09-13T12:26:40Z", Some((1_600_000_000, 0)));
        check("2020-09-13T12:26:40.5Z", Some((1_600_000_000, 500_000_000)));
        check("2020-09-13T14:26:40%2B02:00", Some((1_600_000_000, 0)));
        check("2020-09-13T14:26:40+02:00", Some((1_600_000_000, 0)));
        check("2020-09-13", None);
        check("yesterday", None);
        check("2020-13-13T12:26:40Z", None);
        assert!(super::selection("timestamp=x").is_err());
        // As in Scope's app.
        assert_eq!(selection("timestamp=").at, None);
    }

    #[test]
    fn empty_query_filters_nothing_and_any_parameter_brings_the_defaults() {
        assert!(selection("").unfiltered);
        assert!(!selection("t=5s").unfiltered);
        assert!(selection("t=5s&timestamp=").options.is_empty());
    }

    #[test]
    fn first_value_of_an_option_counts_and_is_split_at_commas() {
        let selection = selection("namespace=a,b&namespace=c&system=");
        let values: Vec<_> = selection.options.iter().map(|o| &o.values[..]).collect();
        assert_eq!(
            values,
            [&["a".to_owned(), "b".to_owned()][..], &[String::new()]]
        );
    }

    #[test]
    fn escapes_are_undone() {
        let check = |escaped, expected: Option<&[u8]>| {
            assert_eq!(unescape(escaped).as_deref(), expected, "{escaped}");
        };
        check("a%2Fb+c%3Chost%3E", Some(b"a/b c<host>"));
        check("%FF", Some(&[0xff]));
        check("%zz", None);
        check("%+1", None);
        check("a%2", None);
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let check = |text, expected: Option<u64>| {
            assert_eq!(
                go_duration(text),
                expected.map(Duration::from_millis),
                "{text}"
            );
        };
        check("5s", Some(5000));
        check("1m30s", Some(90_000));
        check("1.5s", Some(1500));
        check("-1s", Some(0));
        check("0", Some(0));
        check("5", None);
        check("x", None);
        check("", None);
    }
}
