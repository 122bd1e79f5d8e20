//! Input that is meant to hurt is refused at once, and never with a panic.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use report::Symbols;
use report::decode::{DecodeError, Format, Limits, check, decode};

/// Much more than anything here takes, on a machine that does other things as well.
const SOON: Duration = Duration::from_secs(2);

fn read(body: &[u8], format: Format) -> Result<(), DecodeError> {
    let start = Instant::now();
    let limits = Limits::default();
    let checked = check(body, format, &limits).map(|_| ());
    let decoded = decode(body, format, &limits, 0, &mut Symbols::new()).map(|_| ());
    assert_eq!(checked, decoded);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    checked
}

fn check_malformed(body: &[u8], format: Format) {
    let error =
        read(body, format).expect_err(&String::from_utf8_lossy(&body[..body.len().min(99)]));
    assert!(!error.is_too_large(), "{error}");
}

fn check_too_large(body: &[u8], format: Format) {
    let error = read(body, format).unwrap_err();
    assert!(error.is_too_large(), "{error}");
}

/// `{"Host":{"nodes":{"h":<node>}}}` in msgpack.
fn with_node(node: &[u8]) -> Vec<u8> {
    [b"\x81\xa4Host\x81\xa5nodes\x81\xa1h", node].concat()
}

#[test]
fn msgpack_of_wrong_types_is_refused() {
    for body in [
        &b""[..],
        b"\xc0",
        b"\x2a",
        b"\xa3abc",
        b"\xc1",
        b"\xd4\x01\x00",
        b"\x81",
        b"\x81\xa4Host\xa3abc",
        b"\x81\xa4Host\x2a",
        b"\x81\xa4Host\x81\xa5nodes\x90",
        b"\x81\xa2TS\xaf\x01\x00",
        b"\x81\xa2TS\xa0",
        b"\x81\xa2TS\xa1\x01",
        b"\x81\xa6Window\xa1x",
        b"\x81\xa8Shortcut\x02",
        b"\x81\xa8Sampling\x81\xa5Count\xff",
        b"\x81\x90\x01",
    ] {
        check_malformed(body, Format::ScopeMsgpack);
    }
}

#[test]
fn declared_lengths_are_not_believed() {
    for head in [
        &b"\xdf\xff\xff\xff\xff"[..],
        b"\xdd\xff\xff\xff\xff",
        b"\x81\xa4Host\x81\xa5nodes\xdf\xff\xff\xff\xff",
        b"\x81\xdb\xff\xff\xff\xff",
        b"\x81\xc6\xff\xff\xff\xff",
        b"\x81\xa1x\xdd\xff\xff\xff\xff",
        b"\x81\xa1x\xdf\xff\xff\xff\xff",
        b"\x81\xa1x\xc9\xff\xff\xff\xff",
    ] {
        check_malformed(head, Format::ScopeMsgpack);
        check_malformed(&[head, &[0x80; 1000]].concat(), Format::ScopeMsgpack);
    }
}

#[test]
fn deep_nesting_is_refused() {
    for (open, format) in [
        (&b"\x91"[..], Format::ScopeMsgpack),
        (b"\x81\xa1x", Format::ScopeMsgpack),
        (b"[", Format::ScopeJson),
        (b"{\"x\":", Format::ScopeJson),
    ] {
        check_malformed(&open.repeat(10_000), format);
        let unknown: &[u8] = match format {
            Format::ScopeMsgpack => b"\x81\xa1x",
            Format::ScopeJson => b"{\"x\":",
        };
        check_malformed(&[unknown, &open.repeat(1_000_000)].concat(), format);
    }
    let child = b"\x81\xa8children\x91";
    check_malformed(&with_node(&child.repeat(10_000)), Format::ScopeMsgpack);
    let child = b"{\"children\":[";
    let body = [&b"{\"Host\":{\"nodes\":{\"h\":"[..], &child.repeat(10_000)].concat();
    check_malformed(&body, Format::ScopeJson);
}

#[test]
fn what_would_take_too_much_memory_is_refused() {
    let many =
        |item: &[u8], n: u32| [&b"\xdd"[..], &n.to_be_bytes(), &item.repeat(n as usize)].concat();
    let samples = [
        &b"\x81\xa7metrics\x81\xa1m\x81\xa7samples"[..],
        &many(b"\xc0", 20_000_000),
    ]
    .concat();
    check_too_large(&with_node(&samples), Format::ScopeMsgpack);
    let children = [&b"\x81\xa8children"[..], &many(b"\xc0", 2_000_000)].concat();
    check_too_large(&with_node(&children), Format::ScopeMsgpack);
    let plugins = [&b"\x81\xa7Plugins"[..], &many(b"\xc0", 20_000_000)].concat();
    check_too_large(&plugins, Format::ScopeMsgpack);
    let long = [&b"{\"ID\":\""[..], &vec![b'x'; 5 << 20], b"\"}"].concat();
    check_too_large(&long, Format::ScopeJson);
    let unknown = [&b"\x81\xa1x"[..], &many(b"\x00", 20_000_000)].concat();
    check_too_large(&unknown, Format::ScopeMsgpack);
    let unknown = [&b"{\"x\":["[..], &b"0,".repeat(20_000_000)].concat();
    check_too_large(&unknown, Format::ScopeJson);
    let many = br#""a":{},"#.repeat(600_000);
    check_too_large(
        &[&b"{\"Host\":{\"nodes\":{"[..], &many].concat(),
        Format::ScopeJson,
    );
}

#[test]
fn broken_json_is_refused() {
    for body in [
        "",
        " ",
        "null",
        "3",
        "\"x\"",
        "{",
        "{\"Host\"",
        "{\"Host\":",
        "{\"Host\":{}",
        "{\"Host\":{},}",
        "{\"Host\":{}\"Pod\":{}}",
        "{\"Host\":\"string\"}",
        "{\"TS\":\"yesterday\"}",
        "{\"TS\":3}",
        "{\"Window\":\"x\"}",
        "{\"Window\":1e99}",
        "{\"Window\":true}",
        "{\"Shortcut\":1}",
        "{\"ID\":\"\\x\"}",
        "{\"ID\":\"\\u12\"}",
        "{\"ID\":\"\\",
        "{\"ID\":\"\\u",
        "{\"ID\":\"\\ud800\\u",
        "{\"ID\":nul",
        "{\"ID\":}",
        "{\"x\":tru}",
        "{\"x\":]",
        "[[]",
    ] {
        check_malformed(body.as_bytes(), Format::ScopeJson);
    }
}

#[test]
fn strange_but_legal_input_is_accepted() {
    for body in [
        &b"\x80"[..],
        b"\x90",
        b"\x80 and more",
        b"\x81\xa4Host\xc0",
        b"\x81\xa4Host\x90",
        b"\x81\xa4Host\x81\xa5nodes\xc0",
        b"\x82\xa4Host\xc0\xa4Host\xc0",
        b"\x81\xc0\xc0",
        b"\x81\xa2TS\xc0",
        b"\x81\xa2TS\xb0\x02\x00\x00\x00\x0e\xdc\xe5\xe8\x00\x07\x5b\xcd\x15\x00\x3c\x1e",
        b"\x81\xa6Window\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\xa8Shortcut\x01",
        b"\x81\xa6future\xd8\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    ] {
        assert_eq!(read(body, Format::ScopeMsgpack), Ok(()), "{body:x?}");
    }
    for body in [
        "{}",
        "[]",
        "{} and more",
        " \t\r\n{ } ",
        "{\"Host\":null,\"Host\":{\"nodes\":null}}",
        "{\"Host\":{\"nodes\":{\"h\":null}}}",
        "{\"Window\":\"3\",\"ID\":3,\"TS\":null}",
        "{\"Window\":3e9,\"Sampling\":{\"Count\":1.0}}",
        "{\"ID\":\"\\ud800 \\ud83d\\ude00 \\ud800\\u0041\"}",
        "{\"future\":[1,{\"x\":[true,false,null,-1.5e3]}]}",
        "{\"ID\":true}",
    ] {
        assert_eq!(read(body.as_bytes(), Format::ScopeJson), Ok(()), "{body}");
    }
}

#[test]
fn numbers_that_are_none_hurt_nobody() {
    let nan = f64::NAN.to_be_bytes();
    let metric = [
        &b"\x81\xa7metrics\x81\xa1m\x83\xa3min\xcb"[..],
        &nan,
        b"\xa3max\xcb",
        &nan,
        b"\xa7samples\x91\x81\xa5value\xcb",
        &nan,
    ];
    let body = with_node(&metric.concat());
    let mut symbols = Symbols::new();
    let limits = Limits::default();
    let report = decode(&body, Format::ScopeMsgpack, &limits, 0, &mut symbols).unwrap();
    let merged = report::merge::merge([&report, &report].into_iter(), &mut symbols);
    let mut json = Vec::new();
    report::encode::json(
        &merged,
        &symbols,
        report::encode::Censor::default(),
        &mut json,
    );
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert!(json["Host"]["nodes"]["h"]["metrics"]["m"]["min"].is_null());
}
