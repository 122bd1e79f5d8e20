//! Weft's contract: messages, clients and server traits generated from `proto/weft/**/*.proto`.
//!
//! The documentation of every message and RPC stands in the `.proto` files and is carried over by the generator. Use it
//! with the layer visible at the call site: `use proto::query::v1 as pb;`.

// Generated code: its shape is the generator's choice.
#![allow(
    clippy::large_enum_variant,
    clippy::unwrap_used,
    missing_debug_implementations,
    unreachable_pub
)]

/// The serialised `FileDescriptorSet` of every file, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

macro_rules! package {
    ($($service:ident $name:literal)*) => {$(
        #[doc = concat!("`", $name, "`")]
        pub mod $service {
            /// Version 1.
            pub mod v1 {
                tonic::include_proto!($name);
            }
        }
    )*};
}

package! {
    collection "weft.collection.v1"
    controls "weft.controls.v1"
    pipes "weft.pipes.v1"
    query "weft.query.v1"
    storage "weft.storage.v1"
    tenant "weft.tenant.v1"
    users "weft.users.v1"
}

/// What edges of the Envoy family ask: `envoy.service.auth.v3`, as far as Weft speaks it.
pub mod envoy_auth {
    tonic::include_proto!("envoy.service.auth.v3");
}

/// `weft.query.v1` as its server speaks it: nodes in bulk messages are bytes that are encoded already. The same on the
/// wire as [`query::v1`].
pub mod encoded {
    /// See [`crate::query`].
    pub mod query {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/encoded/weft.query.v1.rs"));
        }
    }
}
