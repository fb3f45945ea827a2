//! Seconds of an exact scan, beside this machine's memory bandwidth and, in alternating rounds, peers.
//!
//!     cargo run --release -p proclivity-rank --example scan -- ITEMS DIM QUERIES K THREADS \
//!         [--rounds 7] [--python PYTHON]
//!
//! With `--python`, an interpreter that has what `benches/peers/scan.py` asks for, each round also
//! runs faiss and NumPy, on the same vectors and the same number of threads; a ratio is the median
//! over rounds of the peer's seconds divided by ours.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use proclivity_rank::{Filter, Scan, ScoredList, TieBreak};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut numbers, mut rounds, mut python) = (Vec::<usize>::new(), 7, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => rounds = arguments.next().ok_or("--rounds N")?.parse()?,
            "--python" => python = Some(arguments.next().ok_or("--python PYTHON")?),
            number => numbers.push(number.parse()?),
        }
    }
    let [items, dim, queries, k, threads] = numbers[..] else {
        return Err("ITEMS DIM QUERIES K THREADS".into());
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;

    let vectors = uniform(items * dim, 1);
    let asked = uniform(queries * dim, 2);
    let ids: Vec<String> = (0..items).map(|item| item.to_string()).collect();
    let ties = TieBreak::new(ids.iter().map(String::as_str), 3);
    let scan = Scan::new(&vectors, dim, &ties)?;
    let mut peer =
        python.map(|python| Peer::start(&python, &numbers, [&vectors, &asked])).transpose()?;

    let mut names = vec!["plain sum".to_owned(), "scan".to_owned()];
    names.extend(peer.iter().flat_map(|peer| peer.names.clone()));
    let mut seconds = vec![Vec::new(); names.len()];
    for _ in 0..rounds {
        let begun = Instant::now();
        let sum: f32 = vectors.par_chunks(1 << 16).map(sum).sum();
        seconds[0].push(begun.elapsed().as_secs_f64());
        std::hint::black_box(sum);

        let begun = Instant::now();
        let lists = scan.top_k(&asked, k, Filter::default())?;
        seconds[1].push(begun.elapsed().as_secs_f64());

        for (at, name) in names.iter().enumerate().skip(2) {
            let Some(peer) = &mut peer else { continue };
            let (took, found) = peer.round(name)?;
            seconds[at].push(took);
            let agree = agreement(&lists, &found);
            if agree < 0.999 {
                return Err(format!("{name} agrees on {agree} of the items").into());
            }
        }
    }

    let bytes = (items * dim * size_of::<f32>()) as f64;
    println!("{items} items of {dim}, {queries} queries, k = {k}, {threads} threads");
    println!("{:20} {:>9} {:>9} {:>6} {:>7}", "", "min s", "median s", "GB/s", "ratio");
    for (name, of_name) in names.iter().zip(&seconds) {
        let best = of_name.iter().copied().fold(f64::INFINITY, f64::min);
        let ratios = of_name.iter().zip(&seconds[1]).map(|(peer, ours)| peer / ours).collect();
        let middle = median(of_name.clone());
        println!(
            "{name:20} {best:9.4} {middle:9.4} {:6.1} {:7.2}",
            bytes / best / 1e9,
            median(ratios)
        );
    }
    if let Some(mut peer) = peer {
        drop(peer.input);
        peer.child.wait()?;
    }
    Ok(())
}

fn uniform(count: usize, seed: u64) -> Vec<f32> {
    let mut values = vec![0.0; count];
    values.par_chunks_mut(1 << 16).enumerate().for_each(|(stream, part)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64);
        part.fill_with(|| rng.random_range(-1.0..1.0));
    });
    values
}

fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<32>();
    let mut sums = [0.0; 32];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().chain(rest).sum()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The share of our items that the peer found, too.
fn agreement(lists: &[ScoredList], found: &[u32]) -> f64 {
    let k = found.len() / lists.len().max(1);
    let listed: usize = lists.iter().map(|list| list.items.len()).sum();
    let pairs = lists.iter().zip(found.chunks(k.max(1)));
    let common = pairs.map(|(list, found)| {
        list.items.iter().filter(|scored| found.contains(&scored.item)).count()
    });
    common.sum::<usize>() as f64 / listed.max(1) as f64
}

/// A peer's process.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    names: Vec<String>,
}

impl Peer {
    fn start(python: &str, sizes: &[usize], data: [&[f32]; 2]) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/peers/scan.py"))
            .args(sizes.iter().map(usize::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        for values in data {
            for part in values.chunks(1 << 16) {
                let bytes: Vec<u8> = part.iter().flat_map(|value| value.to_le_bytes()).collect();
                input.write_all(&bytes)?;
            }
        }
        input.flush()?;
        let mut names = String::new();
        output.read_line(&mut names)?;
        let names = names.trim().split(", ").map(str::to_owned).collect();
        Ok(Self { child, input, output, names })
    }

    /// The seconds it took, and the items of all queries.
    fn round(&mut self, name: &str) -> Result<(f64, Vec<u32>), Box<dyn Error>> {
        writeln!(self.input, "{name}")?;
        self.input.flush()?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        let mut fields = answer.split_whitespace();
        let seconds = fields.next().ok_or("the peer has ended")?.parse()?;
        Ok((seconds, fields.map(str::parse).collect::<Result<_, _>>()?))
    }
}
