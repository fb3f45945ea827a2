//! Writes a text behind a prompt: `generate --model DIR --prompt P --max-tokens N [--only FILE]`.
//!
//! A GGUF file instead of a directory needs `--features gguf`, `--regex` and `--json-schema` need
//! `--features grammar`.
//!
//! The text streams to standard output; at the end, one JSON line with the speed goes to standard
//! error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command")]

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use proclivity::encoder::{ComputeDevice, Constraint, Decoder, GenerateConfig};
use serde_json::json;

#[derive(Parser)]
struct Arguments {
    /// Directory of a checkpoint, or a GGUF file: Llama family, Qwen2 or Qwen3.
    #[arg(long)]
    model: PathBuf,
    /// What the text follows.
    #[arg(long)]
    prompt: String,
    /// Tokens written at most.
    #[arg(long, default_value_t = 256)]
    max_tokens: usize,
    /// 0 takes the likeliest token each time; 1 draws as the model predicts.
    #[arg(long, default_value_t = 0.0)]
    temperature: f64,
    /// Only so many of the likeliest tokens are drawn from.
    #[arg(long)]
    top_k: Option<usize>,
    /// Only the likeliest tokens that together have this probability are drawn from.
    #[arg(long, default_value_t = 1.0)]
    top_p: f64,
    /// Above 1, tokens that came before get less likely.
    #[arg(long, default_value_t = 1.0)]
    repetition_penalty: f64,
    /// Ends the text; may be given several times.
    #[arg(long)]
    stop: Vec<String>,
    /// Holds the text to one of the lines of a file.
    #[arg(long)]
    only: Option<PathBuf>,
    /// Holds the text to matches of a regular expression.
    #[arg(long, conflicts_with = "only")]
    regex: Option<String>,
    /// Holds the text to JSON that the schema in a file allows.
    #[arg(long, conflicts_with_all = ["only", "regex"])]
    json_schema: Option<PathBuf>,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Backend to compute on.
    #[arg(long, default_value = "flex")]
    backend: ComputeDevice,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let constraint = constraint(&arguments)?;
    let config = GenerateConfig {
        max_tokens: arguments.max_tokens,
        temperature: arguments.temperature,
        top_k: arguments.top_k,
        top_p: arguments.top_p,
        repetition_penalty: arguments.repetition_penalty,
        stop: arguments.stop,
        constraint,
        seed: arguments.seed,
    };
    let model = Decoder::load(&arguments.model, &arguments.backend)?;
    let start = Instant::now();
    let mut output = std::io::stdout();
    let mut failure = None;
    let written = model.generate(&arguments.prompt, &config, &mut |text| {
        if let Err(error) = output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
            failure = Some(error);
        }
    })?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    println!();
    let seconds = start.elapsed().as_secs_f64();
    let tokens = written.tokens.len();
    eprintln!(
        "{}",
        json!({
            "tokens": tokens,
            "seconds": seconds,
            "tokens_per_second": tokens as f64 / seconds,
            "finish": format!("{:?}", written.finish),
        })
    );
    Ok(())
}

fn constraint(arguments: &Arguments) -> Result<Option<Constraint>, Box<dyn Error>> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|source| format!("{}: {source}", path.display()))
    };
    if let Some(path) = &arguments.only {
        let text = read(path)?;
        let lines: Vec<String> =
            text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        if lines.is_empty() {
            return Err(format!("{}: no line to choose", path.display()).into());
        }
        return Ok(Some(Constraint::Only(lines)));
    }
    if let Some(path) = &arguments.json_schema {
        return Ok(Some(Constraint::JsonSchema(serde_json::from_str(&read(path)?)?)));
    }
    Ok(arguments.regex.clone().map(Constraint::Regex))
}
