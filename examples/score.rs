//! Scores a continuation: `score --model DIR --prompt P --continuation C`.
//!
//! Prints JSON with the log-probability of each token of the continuation, in nats, and their sum.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use proclivity::encoder::{ComputeDevice, Decoder};
use serde_json::json;

#[derive(Parser)]
struct Arguments {
    /// Directory of a checkpoint: Llama family, Qwen2 or Qwen3.
    #[arg(long)]
    model: PathBuf,
    /// What comes before; empty for the beginning of a text.
    #[arg(long, default_value = "")]
    prompt: String,
    /// What is scored; may be given several times.
    #[arg(long, required = true)]
    continuation: Vec<String>,
    /// Backend to compute on.
    #[arg(long, default_value = "flex")]
    backend: ComputeDevice,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let model = Decoder::load(&arguments.model, &arguments.backend)?;
    let continuations: Vec<&str> = arguments.continuation.iter().map(String::as_str).collect();
    let scores = model.score(&arguments.prompt, &continuations)?;
    for (continuation, tokens) in continuations.iter().zip(scores) {
        let log_prob: f64 = tokens.iter().map(|token| token.log_prob).sum();
        println!(
            "{}",
            json!({ "continuation": continuation, "log_prob": log_prob, "tokens": tokens })
        );
    }
    Ok(())
}
