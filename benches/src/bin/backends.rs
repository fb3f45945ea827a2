//! Measures the backends that are compiled in, each in a process of its own, and prints a table in
//! Markdown.
//!
//! ```text
//! cargo run --release -p proclivity-benches --bin backends --features tch,… -- \
//!     --model models/all-MiniLM-L6-v2 [--decoder models/SmolLM2-135M-Instruct] [--backends flex,tch]
//! ```
//!
//! Texts of one length go through the encoder in batches; with `--texts FILE` the lines of a file do,
//! too. The decoder reads prompts and writes behind them, greedily. Differences are those of vectors,
//! or of log-probabilities, from flex, which has to be among the backends for that.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Parser;
use proclivity_benches::peak_rss_mb;
use proclivity_encoder::{
    BertEncoder, ComputeDevice, Decoder, GenerateConfig, LanguageModel, TextEncoder,
};
use serde::{Deserialize, Serialize};

/// Measures the backends that are compiled in and prints a table in Markdown.
#[derive(Parser)]
struct Arguments {
    /// The directory of an encoder.
    #[arg(long)]
    model: PathBuf,
    /// The directory of a decoder.
    #[arg(long)]
    decoder: Option<PathBuf>,
    /// Backends by name, such as flex, tch, vulkan:cpu, cuda:0.
    #[arg(long, value_delimiter = ',', default_value = "flex")]
    backends: Vec<String>,
    /// Texts of a batch.
    #[arg(long, value_delimiter = ',', default_value = "1,32")]
    batches: Vec<usize>,
    /// Tokens of a text.
    #[arg(long, value_delimiter = ',', default_value = "16,128")]
    lengths: Vec<usize>,
    /// A file of texts, a line each.
    #[arg(long)]
    texts: Option<PathBuf>,
    /// How long a row is measured at least.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measures this backend in this process; rows go to standard output as JSON.
    #[arg(long, hide = true)]
    alone: Option<String>,
    /// Where flex leaves its results for the others.
    #[arg(long, hide = true)]
    reference: Option<PathBuf>,
}

/// A row of the table.
#[derive(Serialize, Deserialize)]
struct Row {
    model: String,
    batch: usize,
    length: String,
    texts_per_second: f64,
    /// Of texts that were read, or of those that were written.
    tokens_per_second: f64,
    /// Of a batch, the median.
    milliseconds: f64,
    peak_mb: Option<u64>,
    /// From flex.
    difference: Option<f32>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some(backend) = &arguments.alone {
        measure(&arguments, backend)?;
        return Ok(ExitCode::SUCCESS);
    }
    let reference =
        std::env::temp_dir().join(format!("proclivity-backends-{}", std::process::id()));
    fs::create_dir_all(&reference)?;
    // The others are compared with it.
    let mut backends = arguments.backends.clone();
    backends.sort_by_key(|name| name != "flex");
    println!("{}\n", machine()?);
    println!(
        "| backend | model | batch | tokens | texts/s | tokens/s | ms a batch | peak MB | from flex |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    let mut failed = Vec::new();
    for backend in &backends {
        let child = Command::new(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .args(["--alone", backend, "--reference"])
            .arg(&reference)
            .stderr(std::process::Stdio::inherit())
            .output()?;
        for line in String::from_utf8_lossy(&child.stdout).lines() {
            println!("| {backend} {}", serde_json::from_str::<Row>(line)?.cells());
        }
        if !child.status.success() {
            failed.push(backend);
        }
    }
    fs::remove_dir_all(reference)?;
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nNot measured: {failed:?}");
    Ok(ExitCode::FAILURE)
}

impl Row {
    fn cells(&self) -> String {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        format!(
            "| {} | {} | {} | {:.1} | {:.0} | {:.1} | {} | {} |",
            self.model,
            self.batch,
            self.length,
            self.texts_per_second,
            self.tokens_per_second,
            self.milliseconds,
            or_dash(self.peak_mb.map(|mb| mb.to_string())),
            or_dash(self.difference.map(|difference| format!("{difference:.0e}"))),
        )
    }
}

/// Processor, cores, system and versions.
fn machine() -> Result<String, Box<dyn Error>> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find(|line| line.starts_with("model name"));
    let cpu = cpu.and_then(|line| line.split_once(": ")).map_or("unknown CPU", |(_, name)| name);
    let version = |package: &str| {
        let mut lines = include_str!("../../../Cargo.lock").lines();
        lines.find(|line| *line == format!("name = \"{package}\""))?;
        lines.next()?.strip_prefix("version = ")
    };
    let versions = ["burn", "tch", "wgpu"]
        .map(|package| format!("{package} {}", version(package).unwrap_or("?").trim_matches('"')));
    Ok(format!(
        "{cpu}, {} cores, {} {}; proclivity {}, {}",
        std::thread::available_parallelism()?,
        std::env::consts::OS,
        std::env::consts::ARCH,
        env!("CARGO_PKG_VERSION"),
        versions.join(", "),
    ))
}

fn measure(arguments: &Arguments, backend: &str) -> Result<(), Box<dyn Error>> {
    let device: ComputeDevice = backend.parse()?;
    let reference = Reference {
        directory: arguments.reference.clone().unwrap_or_default(),
        is_flex: backend == "flex",
    };
    measure_encoder(arguments, &device, &reference)?;
    match &arguments.decoder {
        Some(directory) => measure_decoder(arguments, directory, &device, &reference),
        None => Ok(()),
    }
}

fn measure_encoder(
    arguments: &Arguments,
    device: &ComputeDevice,
    reference: &Reference,
) -> Result<(), Box<dyn Error>> {
    let encoder = BertEncoder::load(&arguments.model, device)?;
    let model = name(&arguments.model);
    let row = |key: &str, encoder: &BertEncoder, batch, texts: &[&str]| {
        let tokens = encoder.count_tokens(texts)?;
        let vectors = encoder.embed(texts, &mut |_| {})?;
        let difference = reference.compare(key, vectors.iter().copied())?;
        let (calls, seconds, median) =
            repeat(arguments.seconds, || encoder.embed(texts, &mut |_| {}).map(|_| ()))?;
        print_row(&Row {
            model: model.clone(),
            batch,
            length: (tokens / texts.len()).to_string(),
            texts_per_second: (calls * texts.len()) as f64 / seconds,
            tokens_per_second: (calls * tokens) as f64 / seconds,
            milliseconds: 1e3 * median * batch.min(texts.len()) as f64 / texts.len() as f64,
            peak_mb: peak_rss_mb(),
            difference,
        })
    };
    for &length in &arguments.lengths {
        for &batch in &arguments.batches {
            let texts: Vec<String> = (0..batch)
                .map(|salt| text_of(length, salt, |text| encoder.count_tokens(&[text])))
                .collect::<Result<_, _>>()?;
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            row(&format!("{length}-{batch}"), &encoder, batch, &texts)?;
        }
    }
    if let Some(path) = &arguments.texts {
        let lines = fs::read_to_string(path)?;
        let texts: Vec<&str> = lines.lines().collect();
        for &batch in arguments.batches.iter().filter(|&&batch| batch > 1) {
            let encoder = encoder.clone().with_batch_size(batch);
            row(&format!("texts-{batch}"), &encoder, batch, &texts)?;
        }
    }
    Ok(())
}

fn measure_decoder(
    arguments: &Arguments,
    directory: &Path,
    device: &ComputeDevice,
    reference: &Reference,
) -> Result<(), Box<dyn Error>> {
    const WRITTEN: usize = 32;
    let decoder = Decoder::load(directory, device)?;
    let config = GenerateConfig { max_tokens: WRITTEN, ..GenerateConfig::default() };
    for &length in &arguments.lengths {
        let count = |text: &str| decoder.score("A", &[text]).map(|scores| scores[0].len());
        let prompt = text_of(length, 0, count)?;
        let log_probs = decoder.log_probs(&prompt, &[" film", " a warm tent"])?;
        let key = format!("decoder-{length}");
        let difference = reference.compare(&key, log_probs.iter().map(|&x| x as f32))?;
        for &batch in &arguments.batches {
            let prompts = vec![prompt.as_str(); batch];
            let mut tokens = 0;
            let (calls, seconds, median) = repeat(arguments.seconds, || {
                let written = decoder.generate_batch(&prompts, &config, &mut |_, _| {})?;
                tokens = written.iter().map(|text| text.tokens.len()).sum();
                Ok(())
            })?;
            print_row(&Row {
                model: name(directory),
                batch,
                length: format!("{length} + {WRITTEN}"),
                texts_per_second: (calls * batch) as f64 / seconds,
                tokens_per_second: (calls * tokens) as f64 / seconds,
                milliseconds: 1e3 * median,
                peak_mb: peak_rss_mb(),
                difference,
            })?;
        }
    }
    Ok(())
}

fn name(directory: &Path) -> String {
    directory.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn print_row(row: &Row) -> Result<(), Box<dyn Error>> {
    println!("{}", serde_json::to_string(row)?);
    Ok(())
}

/// Words until there are as many tokens, other ones for each salt.
fn text_of<E>(
    length: usize,
    salt: usize,
    count: impl Fn(&str) -> Result<usize, E>,
) -> Result<String, E> {
    const WORDS: [&str; 12] = [
        "film", "camera", "tent", "coffee", "for", "two", "with", "red", "light", "old", "paper",
        "set",
    ];
    let mut text = String::from("a");
    let mut tokens = count(&text)?;
    for place in 0.. {
        let word = WORDS[(place * place + 5 * place + 7 * salt) % WORDS.len()];
        let longer = format!("{text} {word}");
        let more = count(&longer)?;
        // The model reads no more than it has room for.
        if more > length || more == tokens {
            break;
        }
        (text, tokens) = (longer, more);
    }
    Ok(text)
}

/// Calls until so many seconds are over, after two calls that warm up: how many, their seconds, and the
/// median's.
fn repeat<E>(
    seconds: f64,
    mut call: impl FnMut() -> Result<(), E>,
) -> Result<(usize, f64, f64), E> {
    call()?;
    call()?;
    let begun = Instant::now();
    let mut each = Vec::new();
    while each.len() < 3 || begun.elapsed().as_secs_f64() < seconds {
        let begun = Instant::now();
        call()?;
        each.push(begun.elapsed().as_secs_f64());
    }
    each.sort_by(f64::total_cmp);
    Ok((each.len(), begun.elapsed().as_secs_f64(), each[each.len() / 2]))
}

/// What flex computed, in files.
struct Reference {
    directory: PathBuf,
    is_flex: bool,
}

impl Reference {
    /// The largest difference from flex; `None` where flex hasn't computed it.
    fn compare(
        &self,
        key: &str,
        values: impl Iterator<Item = f32>,
    ) -> Result<Option<f32>, Box<dyn Error>> {
        let path = self.directory.join(key);
        let values: Vec<f32> = values.collect();
        if self.is_flex {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            fs::write(path, bytes)?;
            return Ok(None);
        }
        let Ok(bytes) = fs::read(path) else { return Ok(None) };
        let (numbers, _) = bytes.as_chunks::<4>();
        let expected = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let differences =
            values.iter().zip(expected).map(|(value, expected)| (value - expected).abs());
        Ok(Some(differences.fold(0.0, f32::max)))
    }
}
