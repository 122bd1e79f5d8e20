//! Any bytes as JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use report::decode::Format;

#[path = "../shared.rs"]
mod shared;

fuzz_target!(|body: &[u8]| shared::check_reading(body, Format::ScopeJson));
