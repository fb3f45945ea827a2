//! The benches lie beside this folder: `cargo bench -p proclivity-benches`.
