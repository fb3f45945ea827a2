//! Reports are well-formed, load nothing, and show whatever they are given.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
