//! Any bytes as the messages that the public port takes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use proto::{collection, controls, pipes, query, users};

fuzz_target!(|body: &[u8]| {
    again::<collection::v1::SubmitRequest>(body);
    again::<controls::v1::InvokeRequest>(body);
    again::<controls::v1::ConnectRequest>(body);
    again::<pipes::v1::AttachRequest>(body);
    again::<pipes::v1::WriteRequest>(body);
    again::<query::v1::WatchTopologyRequest>(body);
    again::<query::v1::UpdateWatchRequest>(body);
    again::<query::v1::SearchRequest>(body);
    again::<users::v1::AuthenticateRequest>(body);
    // What the server says in bytes, a client reads as messages.
    if let Ok(encoded) = proto::encoded::query::v1::WatchTopologyResponse::decode(body) {
        let length = encoded.encode_to_vec().len();
        if let Ok(decoded) = query::v1::WatchTopologyResponse::decode(body) {
            assert_eq!(decoded.added.len(), encoded.added.len());
            assert!(length <= body.len() + 64);
        }
    }
});

/// What is read can be written, and read again as the same.
fn again<M: Message + Default + PartialEq>(body: &[u8]) {
    if let Ok(message) = M::decode(body) {
        let written = message.encode_to_vec();
        let read = M::decode(written.as_slice()).expect("our own message");
        // NaN is not itself.
        assert!(read == message || read.encode_to_vec() == written);
    }
}
