//! Texts, one a line, as vectors in NumPy's format, in memory that doesn't grow with their number.
//!
//! ```sh
//! scripts/models.sh all-MiniLM-L6-v2
//! cargo run --release --example embed -- --model models/all-MiniLM-L6-v2 --input lines.txt --output vectors.npy
//! ```

#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use npyz::WriterBuilder as _;
use proclivity::encoder::{BertEncoder, ComputeDevice, TextEncoder as _};
use proclivity_examples::{peak_rss_mb, progress_bar, tell};
use serde_json::json;

/// Embeds each line of a file with a sentence encoder.
#[derive(Parser)]
struct Command {
    /// The encoder's directory, as a model hub has it.
    #[arg(long)]
    model: PathBuf,
    /// The texts, in UTF-8, one a line.
    #[arg(long)]
    input: PathBuf,
    /// The vectors: a matrix of f32 with a row for each line.
    #[arg(long)]
    output: PathBuf,
    /// The most texts that are computed at once, which changes no vector; by default as many as fill
    /// the matrix products.
    #[arg(long)]
    batch: Option<usize>,
    /// Where to compute.
    #[arg(long, default_value = "flex")]
    backend: ComputeDevice,
    /// One of the checkpoint's prompts, such as `query`.
    #[arg(long)]
    prompt: Option<String>,
    /// Keeps so many numbers of each vector.
    #[arg(long)]
    dim: Option<usize>,
}

fn main() -> ExitCode {
    tell(run(Command::parse()))
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    /// Lines that are in memory at once, and how many bytes of them.
    const LINES: usize = 8_192;
    const BYTES: usize = 16 << 20;

    let mut encoder = BertEncoder::load(&command.model, &command.backend)?;
    if let Some(prompt) = &command.prompt {
        encoder = encoder.with_prompt(prompt)?;
    }
    if let Some(dim) = command.dim {
        encoder = encoder.with_embedding_dim(dim)?;
    }
    if let Some(texts) = command.batch {
        encoder = encoder.with_batch_size(texts);
    }

    let texts = Lines::open(&command.input)?.count()?;
    let at_output = |error: std::io::Error| format!("{}: {error}", command.output.display());
    let mut file = BufWriter::new(File::create(&command.output).map_err(at_output)?);
    let shape = [texts as u64, encoder.embedding_dim() as u64];
    let mut vectors = npyz::WriteOptions::<f32>::new()
        .default_dtype()
        .shape(&shape)
        .writer(&mut file)
        .begin_nd()
        .map_err(at_output)?;

    let bar = progress_bar(texts, "embedding");
    let mut lines = Lines::open(&command.input)?;
    let (mut done, mut tokens, mut seconds) = (0, 0, Duration::ZERO);
    loop {
        let (mut part, mut bytes) = (Vec::new(), 0);
        while part.len() < LINES && bytes < BYTES {
            let Some(line) = lines.next()? else { break };
            bytes += line.len();
            part.push(line);
        }
        if part.is_empty() {
            break;
        }
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        tokens += encoder.count_tokens(&part)?;
        let start = Instant::now();
        let embedded = encoder.embed(&part, &mut |of_part| bar.set_position(done + of_part as u64));
        seconds += start.elapsed();
        vectors
            .extend(embedded.map_err(|error| format!("after line {done}: {error}"))?)
            .map_err(at_output)?;
        done += part.len() as u64;
    }
    if done != texts as u64 {
        return Err(format!("{} changed while it was read", command.input.display()).into());
    }
    vectors.finish().map_err(at_output)?;
    file.flush().map_err(at_output)?;
    bar.finish_and_clear();

    let seconds = seconds.as_secs_f64();
    let report = json!({
        "texts": texts,
        "tokens": tokens,
        "seconds": seconds,
        "texts_per_second": texts as f64 / seconds.max(f64::MIN_POSITIVE),
        "peak_rss_mb": peak_rss_mb(),
    });
    println!("{report}");
    Ok(())
}

/// The lines of a file, one at a time.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    number: u64,
}

impl<'a> Lines<'a> {
    /// A longer line is no text to embed, and might be the rest of a file that has no lines.
    const LONGEST: u64 = 16 << 20;

    fn open(path: &'a Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, reader: BufReader::new(file), number: 0 })
    }

    fn next(&mut self) -> Result<Option<String>, String> {
        self.number += 1;
        let at = |error: String| format!("{}, line {}: {error}", self.path.display(), self.number);
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(Self::LONGEST).read_until(b'\n', &mut line);
        if read.map_err(|error| at(error.to_string()))? == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() as u64 == Self::LONGEST {
            return Err(at(format!("longer than {} bytes", Self::LONGEST)));
        }
        String::from_utf8(line).map(Some).map_err(|error| at(error.to_string()))
    }

    fn count(mut self) -> Result<usize, String> {
        let mut lines = 0;
        while self.next()?.is_some() {
            lines += 1;
        }
        Ok(lines)
    }
}
