//! How any process reaches a Weft service.
