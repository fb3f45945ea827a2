//! The whole way on embedded data.
fn main() {}
