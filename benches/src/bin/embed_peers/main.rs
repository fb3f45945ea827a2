//! Embedding and generating beside candle, sentence-transformers and ONNX Runtime, in turns.
//!
//! ```text
//! cargo run --release -p proclivity-benches --features peers --bin embed_peers -- \
//!     --model models/all-MiniLM-L6-v2 --texts titles.txt --python PYTHON \
//!     --decoder models/SmolLM2-135M-Instruct
//! ```
//!
//! Everyone is given the same texts, sorts them by length, computes in f32 with the same batch size
//! on all cores, and tokenizes as part of the time. Rounds alternate, so that ratios hold on a
//! machine that does other work, too. PYTHON needs what `benches/peers/embed.py` names; without
//! `--python`, candle is the only peer.
#![expect(clippy::print_stdout, reason = "a command")]

mod candle;
mod python;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use proclivity_encoder::{BertEncoder, ComputeDevice, Decoder, GenerateConfig, TextEncoder as _};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Embeds texts and generates beside other software.
#[derive(Parser)]
struct Arguments {
    /// Directory of all-MiniLM-L6-v2 or another BERT whose tokens are averaged.
    #[arg(long)]
    model: PathBuf,
    /// The texts, one a line.
    #[arg(long)]
    texts: PathBuf,
    /// So many of the file's first lines.
    #[arg(long, default_value_t = 2048)]
    count: usize,
    /// Directory of a Llama with tied embeddings, such as SmolLM2.
    #[arg(long)]
    decoder: Option<PathBuf>,
    /// A Python with sentence-transformers, ONNX Runtime and onnx.
    #[arg(long)]
    python: Option<PathBuf>,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Texts computed at once.
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Single queries in each round.
    #[arg(long, default_value_t = 40)]
    queries: usize,
    /// Tokens generated in each round.
    #[arg(long, default_value_t = 64)]
    tokens: usize,
    /// Threads of each; by default as many as there are cores.
    #[arg(long)]
    threads: Option<usize>,
}

/// What is compared.
trait Embedder {
    fn name(&self) -> String;
    /// What all texts take.
    fn embed(&mut self) -> Result<Seconds>;
    /// Seconds of each of some single queries.
    fn queries(&mut self, count: usize) -> Result<Vec<f64>>;
    /// All texts' vectors, one after the other, in the order of the file.
    fn vectors(&mut self) -> Result<Vec<f32>>;
}

/// By the clock, and summed over cores, where another's work on the machine hardly counts.
#[derive(Clone, Copy)]
struct Seconds {
    wall: f64,
    cpu: f64,
}

impl Seconds {
    fn of<T>(work: impl FnOnce() -> Result<T>) -> Result<Self> {
        let cpu = || proclivity_benches::cpu_seconds().unwrap_or(f64::NAN);
        let (start, computed) = (Instant::now(), cpu());
        work()?;
        Ok(Self { wall: start.elapsed().as_secs_f64(), cpu: cpu() - computed })
    }
}

struct Ours<'a> {
    encoder: BertEncoder,
    texts: &'a [&'a str],
    query: &'a str,
}

impl Embedder for Ours<'_> {
    fn name(&self) -> String {
        ours_name()
    }

    fn embed(&mut self) -> Result<Seconds> {
        Seconds::of(|| Ok(self.encoder.embed(self.texts, &mut |_| {})?))
    }

    fn queries(&mut self, count: usize) -> Result<Vec<f64>> {
        let query = |_| {
            let start = Instant::now();
            self.encoder.embed(&[self.query], &mut |_| {})?;
            Ok(start.elapsed().as_secs_f64())
        };
        (0..count).map(query).collect()
    }

    fn vectors(&mut self) -> Result<Vec<f32>> {
        Ok(self.encoder.embed(self.texts, &mut |_| {})?.into_iter().collect())
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let cores = std::thread::available_parallelism()?.get();
    let threads = arguments.threads.unwrap_or(cores);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let device: ComputeDevice = "flex".parse()?;
    let file = std::fs::read_to_string(&arguments.texts)?;
    let texts: Vec<&str> = file.lines().take(arguments.count).collect();
    let encoder = BertEncoder::load(&arguments.model, &device)?.with_batch_size(arguments.batch);
    let mut query = None;
    for text in &texts {
        if query.is_none() && encoder.count_tokens(&[text])? == 16 {
            query = Some(*text);
        }
    }
    let query = query.ok_or("no text has 16 tokens")?;
    let tokens = encoder.count_tokens(&texts)?;
    println!(
        "{} texts, {tokens} tokens, batch {}, {threads} threads, {}, load before {}",
        texts.len(),
        arguments.batch,
        cpu(),
        load(),
    );
    let mut peers: Vec<Box<dyn Embedder + '_>> =
        vec![Box::new(Ours { encoder, texts: &texts, query })];
    peers.push(Box::new(candle::Bert::load(&arguments.model, &texts, query, arguments.batch)?));
    if let Some(python) = &arguments.python {
        for library in ["sentence-transformers", "onnxruntime"] {
            peers.push(Box::new(python::Peer::start(
                python,
                library,
                &arguments.model,
                &texts,
                query,
                [arguments.batch, threads],
            )?));
        }
    }
    peers.push(Box::new(candle::Products::new(tokens)?));
    embedders(&mut peers, &arguments, texts.len())?;
    drop(peers);
    match &arguments.decoder {
        Some(directory) => decoders(directory, &device, &arguments),
        None => Ok(()),
    }
}

fn embedders(
    peers: &mut [Box<dyn Embedder + '_>],
    arguments: &Arguments,
    texts: usize,
) -> Result<()> {
    let vectors = peers.iter_mut().map(|peer| peer.vectors()).collect::<Result<Vec<_>>>()?;
    let mut seconds: Vec<Vec<Seconds>> = vec![Vec::new(); peers.len()];
    let mut latencies: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    for _ in 0..arguments.rounds {
        for (peer, seconds) in peers.iter_mut().zip(&mut seconds) {
            seconds.push(peer.embed()?);
        }
        for (peer, latencies) in peers.iter_mut().zip(&mut latencies) {
            latencies.extend(peer.queries(arguments.queries)?);
        }
    }
    println!();
    println!(
        "| | texts/s | ours ÷ theirs | CPU seconds | theirs ÷ ours | 16 tokens, ms: least · median \
         · 95 % | theirs ÷ ours | max difference |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let medians: Vec<Vec<f64>> = latencies
        .iter()
        .map(|all| all.chunks(arguments.queries).map(|round| quantile(round, 0.5)).collect())
        .collect();
    for (index, peer) in peers.iter().enumerate() {
        let difference = vectors[0].iter().zip(&vectors[index]).map(|(a, b)| (a - b).abs());
        let same = vectors[0].len() == vectors[index].len();
        let latency = |share| 1e3 * quantile(&latencies[index], share);
        println!(
            "| {} | {:.0} | {} | {} | {:.1} · {:.1} · {:.1} | {} | {} |",
            peer.name(),
            texts as f64 / quantile(&walls(&seconds[index]), 0.5),
            ratio(&walls(&seconds[index]), &walls(&seconds[0])),
            on_cores(&seconds[index], &seconds[0]),
            latency(0.0),
            latency(0.5),
            latency(0.95),
            ratio(&medians[index], &medians[0]),
            if same { format!("{:.1e}", difference.fold(0.0, f32::max)) } else { "–".to_owned() },
        );
    }
    Ok(())
}

fn decoders(
    directory: &std::path::Path,
    device: &ComputeDevice,
    arguments: &Arguments,
) -> Result<()> {
    /// No text ends soon behind it.
    const PROMPT: &str = "Once upon a time, in a small town by the sea, there lived a girl who";
    let ours = Decoder::load(directory, device)?;
    let config = GenerateConfig { max_tokens: arguments.tokens, ..GenerateConfig::default() };
    let theirs = candle::Llama::load(directory)?;
    let long = PROMPT.repeat(28);
    let first = GenerateConfig { max_tokens: 1, ..GenerateConfig::default() };
    let (mut writing, mut reading): ([Vec<Seconds>; 2], [Vec<Seconds>; 2]) = Default::default();
    let mut same = true;
    for _ in 0..arguments.rounds {
        let (mut ours_wrote, mut theirs_wrote) = (Vec::new(), Vec::new());
        writing[0].push(Seconds::of(|| {
            ours_wrote = ours.generate(PROMPT, &config, &mut |_| {})?.tokens;
            Ok(())
        })?);
        writing[1].push(Seconds::of(|| {
            theirs_wrote = theirs.generate(PROMPT, arguments.tokens)?;
            Ok(())
        })?);
        same &= ours_wrote == theirs_wrote;
        reading[0].push(Seconds::of(|| Ok(ours.generate(&long, &first, &mut |_| {})?))?);
        reading[1].push(Seconds::of(|| theirs.generate(&long, 1))?);
    }
    println!();
    println!(
        "| | greedy tokens/s | ours ÷ theirs | CPU seconds | theirs ÷ ours | prompt of {} tokens, ms \
         | theirs ÷ ours | same tokens |",
        theirs.count(&long)?
    );
    println!("|---|---|---|---|---|---|---|---|");
    let names = [ours_name(), candle::NAME.to_owned()];
    for (index, name) in names.iter().enumerate() {
        println!(
            "| {name} | {:.1} | {} | {} | {:.0} | {} | {} |",
            arguments.tokens as f64 / quantile(&walls(&writing[index]), 0.5),
            ratio(&walls(&writing[index]), &walls(&writing[0])),
            on_cores(&writing[index], &writing[0]),
            1e3 * quantile(&walls(&reading[index]), 0.5),
            ratio(&walls(&reading[index]), &walls(&reading[0])),
            if same { "yes" } else { "no" },
        );
    }
    Ok(())
}

fn ours_name() -> String {
    format!("proclivity {} on flex", env!("CARGO_PKG_VERSION"))
}

fn walls(seconds: &[Seconds]) -> Vec<f64> {
    seconds.iter().map(|seconds| seconds.wall).collect()
}

/// The median of CPU seconds, and their ratio.
fn on_cores(theirs: &[Seconds], ours: &[Seconds]) -> String {
    let [theirs, ours] = [theirs, ours].map(|all| all.iter().map(|it| it.cpu).collect::<Vec<_>>());
    format!("{:.1} | {}", quantile(&theirs, 0.5), ratio(&theirs, &ours))
}

/// The median of the rounds' ratios, with the least and the largest.
fn ratio(over: &[f64], under: &[f64]) -> String {
    let ratios: Vec<f64> = over.iter().zip(under).map(|(over, under)| over / under).collect();
    let [low, middle, high] = [0.0, 0.5, 1.0].map(|share| quantile(&ratios, share));
    format!("{middle:.2} ({low:.2} to {high:.2})")
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((share * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or("unknown CPU", |model| model.trim_start_matches(['\t', ' ', ':'])).to_owned()
}

/// Processes that want to compute, in the last minute's mean.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}
