//! Measures next-step by leave-one-out with full ranking, and prints one JSON object.
//!
//! ```text
//! cargo run --release --example evaluate -- \
//!     --dataset beauty --data DIR --model models/all-MiniLM-L6-v2 --json
//! cargo run --release --example evaluate -- \
//!     --dataset sequences --events FILE --items FILE --model models/all-MiniLM-L6-v2 --json
//! cargo run --release --example evaluate -- --dataset beauty --data DIR --cold-items 0.1 \
//!     --model models/minilm-beauty --against models/all-MiniLM-L6-v2 --json
//! ```
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use ndarray::Array2;
use proclivity::data::{Dataset, ItemSequences};
use proclivity::encoder::{BertEncoder, ComputeDevice, embed_cached};
use proclivity::eval::{Case, FullRankingConfig, Popularity, paired_bootstrap, write_predictions};
use proclivity::posterior::{Kernel, NextStep, NextStepConfig};
use proclivity::rank::TieBreak;
use proclivity::schema::{Catalog, Language, UserIndex};
use proclivity::text::item_text;
use proclivity::{item_counts, select_next_step};
use proclivity_examples::cold::{ColdItems, ColdResult, mean};
use proclivity_examples::{DatasetArguments, peak_rss_mb, progress_bar, tell};
use serde_json::{Map, Value, json};

/// Evaluates next-step on a data set: every user's last item is the test, the one before it
/// validation. Every hyper-parameter is chosen on validation.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    dataset: DatasetArguments,
    /// A checkpoint directory of the BERT family; without it there is no text kernel.
    #[arg(long)]
    model: Option<PathBuf>,
    /// What the model of the test is fitted on.
    #[arg(long, value_enum, default_value = "both")]
    variant: Variant,
    /// Measures instead how well text alone ranks items that `train_encoder` held out: this share,
    /// for the users whose test item is one of them.
    #[arg(long, requires = "model")]
    cold_items: Option<f64>,
    /// Which items these are.
    #[arg(long, default_value_t = 0)]
    cold_seed: u64,
    /// Another checkpoint to compare with on cold items.
    #[arg(long, requires = "cold_items")]
    against: Option<PathBuf>,
    /// Prints JSON alone.
    #[arg(long)]
    json: bool,
    /// Writes a JSON line for each user, of the last variant.
    #[arg(long)]
    predictions: Option<PathBuf>,
    /// The backend, such as flex, tch or cuda:0.
    #[arg(long, default_value = "flex")]
    device: ComputeDevice,
    /// Where embeddings are kept.
    #[arg(long, default_value = ".cache/embeddings")]
    cache: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Variant {
    /// On training items only.
    TrainOnly,
    /// On training and validation items.
    Refit,
    /// Each in turn.
    Both,
}

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let loaded = arguments.dataset.load()?;
    eprintln!("{}", loaded.report);
    if let (Some(share), Some(model)) = (arguments.cold_items, &arguments.model) {
        return cold(arguments, &loaded, share, model);
    }
    let Dataset { catalog, log, .. } = loaded;
    let (kernel, encode_seconds) = match &arguments.model {
        None => (None, 0.0),
        Some(model) => {
            let start = Instant::now();
            let embeddings = embed(arguments, &catalog, model)?;
            (Some(Kernel::nearest(embeddings.view(), 50, 6.0)?), start.elapsed().as_secs_f64())
        }
    };

    let all = ItemSequences::positive(&log);
    let held_out = all.leave_one_out();
    let train: Vec<&[u32]> = all.users().map(|user| held_out.train(user)).collect();
    let with_validation: Vec<&[u32]> = all
        .users()
        .map(|user| held_out.test(user).map_or(held_out.train(user), |(history, _)| history))
        .collect();
    let validation: Vec<Case<'_>> = all
        .users()
        .filter_map(|user| {
            let (history, target) = held_out.validation(user)?;
            Some(Case { user: user.0, history, target })
        })
        .collect();
    let test: Vec<Case<'_>> = all
        .users()
        .filter_map(|user| {
            let (history, target) = held_out.test(user)?;
            Some(Case { user: user.0, history, target })
        })
        .collect();
    let ties = TieBreak::new(catalog.ids().iter().map(|id| id.as_str()), 0);

    let start = Instant::now();
    let bar = progress_bar(0, "choosing on validation");
    let search = select_next_step(
        NextStepConfig::default(),
        &train,
        &validation,
        kernel.as_ref(),
        &ties,
        1,
        |tried, planned, _| {
            bar.set_length(planned as u64);
            bar.set_position(tried as u64);
        },
    )?;
    bar.finish();
    let select_seconds = start.elapsed().as_secs_f64();
    eprintln!("validation ndcg@10 {:.4} with {:?}", search.value, search.best);

    let variants: &[(&str, &[&[u32]])] = match arguments.variant {
        Variant::TrainOnly => &[("train_only", &train)],
        Variant::Refit => &[("refit", &with_validation)],
        Variant::Both => &[("train_only", &train), ("refit", &with_validation)],
    };
    let mut output = Map::new();
    for (at, &(name, fitted_on)) in variants.iter().enumerate() {
        let counts = item_counts(fitted_on, catalog.len());
        let last = at + 1 == variants.len();
        let list_length = if last && arguments.predictions.is_some() { 100 } else { 0 };
        let ranking =
            FullRankingConfig { list_length, ..Default::default() }.build(&counts, &ties)?;
        let start = Instant::now();
        let model = NextStep::fit(search.best.clone(), fitted_on, catalog.len(), kernel.clone())?;
        let fit_seconds = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let bar = progress_bar(test.len(), name);
        let evaluation = ranking.evaluate(&model, &test, &|done| bar.set_position(done as u64))?;
        bar.finish();
        let score_seconds = start.elapsed().as_secs_f64();
        let popularity = ranking.evaluate(&Popularity::new(&counts, 1.0)?, &test, &|_| {})?;

        let Value::Object(mut result) = serde_json::to_value(evaluation.summary())? else {
            return Err("the summary is no JSON object".into());
        };
        result.extend([
            ("select_seconds".to_owned(), json!(select_seconds)),
            ("fit_seconds".to_owned(), json!(fit_seconds)),
            ("score_seconds".to_owned(), json!(score_seconds)),
            ("encode_seconds".to_owned(), json!(encode_seconds)),
            ("peak_rss_mb".to_owned(), json!(peak_rss_mb())),
            ("items".to_owned(), json!(catalog.len())),
            ("events".to_owned(), json!(all.event_count())),
            ("popularity".to_owned(), serde_json::to_value(popularity.summary())?),
            ("parameters".to_owned(), serde_json::to_value(&search.best)?),
        ]);
        if !arguments.json {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
            println!(
                "{name:<11} HR@10 {:.4}  NDCG@10 {:.4}  MRR {:.4}  log loss {:.3}   (popularity {:.4}, {:.4}, {:.4}, {:.3})",
                number(&result["hr@10"]),
                number(&result["ndcg@10"]),
                number(&result["mrr"]),
                number(&result["log_loss"]),
                number(&result["popularity"]["hr@10"]),
                number(&result["popularity"]["ndcg@10"]),
                number(&result["popularity"]["mrr"]),
                number(&result["popularity"]["log_loss"]),
            );
        }
        output.insert(name.to_owned(), Value::Object(result));
        if let (true, Some(path)) = (last, &arguments.predictions) {
            let file = BufWriter::new(File::create(path)?);
            let user_id = |user: u32| log.user_id(UserIndex(user)).as_str();
            let item_id = |item: u32| catalog.ids()[item as usize].as_str();
            write_predictions(file, &test, &evaluation, user_id, item_id)?;
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&Value::Object(output))?);
    }
    Ok(())
}

/// The embeddings of all items' texts.
fn embed(
    arguments: &Arguments,
    catalog: &Catalog,
    model: &Path,
) -> Result<Array2<f32>, Box<dyn Error>> {
    let encoder = BertEncoder::load(model, &arguments.device)?;
    let texts: Vec<String> =
        catalog.items().iter().map(|item| item_text(item, &Language::ENGLISH)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let bar = progress_bar(texts.len(), "embedding the catalog");
    let told = &mut |done| bar.set_position(done as u64);
    let embeddings = embed_cached(&encoder, &texts, &arguments.cache, told)?;
    bar.finish();
    Ok(embeddings)
}

/// Text alone on items that training hasn't seen.
fn cold(
    arguments: &Arguments,
    Dataset { catalog, log, .. }: &Dataset,
    share: f64,
    model: &Path,
) -> Result<(), Box<dyn Error>> {
    let ids = || catalog.ids().iter().map(|id| id.as_str());
    let items = ColdItems::new(ids(), share, arguments.cold_seed);
    let ties = TieBreak::new(ids(), 0);
    let all = ItemSequences::positive(log);
    let (validation, test) = (items.validation(&all), items.test(&all));
    let measure = |model: &Path| -> Result<ColdResult, Box<dyn Error>> {
        ColdResult::new(embed(arguments, catalog, model)?, &ties, &validation, &test)
    };
    let result = measure(model)?;
    let mut output = result.json();
    output.insert("cold_items".to_owned(), json!(items.count()));
    output.insert("items".to_owned(), json!(catalog.len()));
    output.insert("validation_users".to_owned(), json!(validation.len()));
    if let Some(against) = &arguments.against {
        let other = measure(against)?;
        let difference = paired_bootstrap(&result.ndcg, &other.ndcg, 10_000, 0.95, 0)?;
        let ratio = mean(&result.ndcg) / mean(&other.ndcg);
        output.insert("against".to_owned(), Value::Object(other.json()));
        output.insert("ndcg@10_ratio".to_owned(), json!(ratio));
        output.insert("ndcg@10_difference".to_owned(), serde_json::to_value(difference)?);
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&Value::Object(output))?);
        return Ok(());
    }
    for (name, value) in &output {
        println!("{name:<24} {value}");
    }
    Ok(())
}
