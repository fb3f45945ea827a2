//! Times embedding a file of texts.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command")]
use proclivity_encoder::{BertEncoder, TextEncoder};
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let encoder = BertEncoder::load(arguments[1].as_ref(), &"flex".parse().unwrap()).unwrap();
    let file = std::fs::read_to_string(&arguments[2]).unwrap();
    let texts: Vec<&str> = file.lines().take(2048).collect();
    for _ in 0..3 {
        let start = Instant::now();
        encoder.embed(&texts, &mut |_| {}).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        println!("{:.1} texts/s", texts.len() as f64 / seconds);
    }
}
