//! The report model: decoding, merging and rendering. No I/O.
