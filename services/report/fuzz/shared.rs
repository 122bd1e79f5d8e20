//! What holds for all bodies.

use report::Symbols;
use report::decode::{Format, Limits, check, decode_checked};
use report::encode::{self, Censor};
use report::merge::merge;

const NOW: i64 = 1_600_000_000_000_000_000;

/// Reading refuses or accepts, always alike, and what was accepted survives being written.
pub fn check_reading(body: &[u8], format: Format) {
    let limits = Limits {
        nodes: 10_000,
        heap_bytes: 32 << 20,
        ..Limits::default()
    };
    let mut symbols = Symbols::new();
    let decoded = decode_checked(body, format, &limits, NOW, &mut symbols);
    let checked = check(body, format, &limits);
    assert_eq!(decoded.as_ref().map(|d| d.1).map_err(Clone::clone), checked);
    let Ok((report, _)) = decoded else {
        return;
    };
    // A topology that was nil is blank, which cannot be written; merged, no topology is.
    let report = merge([&report].into_iter(), &mut symbols);
    let write = |report, symbols: &Symbols, write: Write| {
        let mut out = Vec::new();
        write(report, symbols, Censor::default(), &mut out);
        out
    };
    let mut again = Symbols::new();
    let msgpack = write(&report, &symbols, encode::msgpack);
    let roomy = Limits::default();
    let (same, _) = decode_checked(&msgpack, Format::ScopeMsgpack, &roomy, NOW, &mut again)
        .expect("our own msgpack");
    assert!(write(&same, &again, encode::msgpack) == msgpack);
    let json = write(&report, &symbols, encode::json);
    decode_checked(&json, Format::ScopeJson, &roomy, NOW, &mut again).expect("our own JSON");
}

type Write = fn(&report::Report, &Symbols, Censor, &mut Vec<u8>);
