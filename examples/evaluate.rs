//! Measures an ensemble by full ranking, and prints one JSON object.
//!
//! ```text
//! cargo run --release --example evaluate -- \
//!     --dataset beauty --data DIR --model models/all-MiniLM-L6-v2 --json
//! cargo run --release --example evaluate -- \
//!     --dataset sequences --events FILE --items FILE --model models/all-MiniLM-L6-v2 --json
//! cargo run --release --example evaluate -- --dataset ml-1m --data DIR \
//!     --model models/all-MiniLM-L6-v2 --sequence models/sequence-ml-1m --ablation --json
//! cargo run --release --example evaluate -- --dataset beauty --data DIR --cold-items 0.1 \
//!     --model models/minilm-beauty --against models/all-MiniLM-L6-v2 --json
//! cargo run --release --example evaluate -- --dataset ml-100k --data DIR \
//!     --model models/all-MiniLM-L6-v2 --hypotheses models/SmolLM2-135M-Instruct --scored-text categories
//! ```
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use proclivity::data::{Dataset, ItemSequences};
use proclivity::encoder::{ComputeDevice, NextItemModel};
use proclivity::eval::{FullRankingConfig, Popularity, Split, paired_bootstrap, write_predictions};
use proclivity::posterior::HypothesisConfig;
use proclivity::rank::TieBreak;
use proclivity::schema::{Catalog, UserIndex};
use proclivity::{
    EnsembleConfig, EnsembleData, EnsembleSearch, ItemTexts, MemberConfig, WeightedMember,
    item_counts,
};
use proclivity_examples::cold::{ColdItems, ColdResult, mean};
#[cfg(feature = "report")]
use proclivity_examples::html::Contents;
use proclivity_examples::hypotheses::{
    HypothesisArguments, HypothesisReport, in_words, most_probable,
};
use proclivity_examples::{
    DatasetArguments, Evaluated, Order, Protocol, Sequences, ablation, cold_users, cross_fit,
    deciles, embed_items, item_tf_idf, peak_rss_mb, progress_bar, tell,
};
use serde_json::{Map, Value, json};

/// Evaluates an ensemble on a data set by full ranking. Members, hyper-parameters and weights are
/// chosen on validation.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    dataset: DatasetArguments,
    /// A checkpoint directory of the BERT family; without it texts are TF-IDF vectors alone.
    #[arg(long)]
    model: Option<PathBuf>,
    /// What `train_sequence` has written: its model joins the ensemble. Given several times, such as
    /// for several seeds, the models' probabilities are averaged.
    #[arg(long)]
    sequence: Vec<PathBuf>,
    #[command(flatten)]
    hypotheses: HypothesisArguments,
    /// What the model of the test is fitted on.
    #[arg(long, value_enum, default_value = "both")]
    variant: Variant,
    /// Which events are held out.
    #[arg(long, value_enum, default_value = "leave-one-out")]
    protocol: Protocol,
    /// In which order events are taken.
    #[arg(long, value_enum, default_value = "log")]
    order: Order,
    /// Seed of what is shuffled.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Measures what the test loses without each member, without either view of the texts, and
    /// without texts.
    #[arg(long)]
    ablation: bool,
    /// Takes members and weights from a file that an earlier run's `parameters` were saved to,
    /// instead of choosing them on validation.
    #[arg(long)]
    parameters: Option<PathBuf>,
    /// Measures instead how well text alone ranks items that `train_encoder` held out: this share,
    /// for the users whose test item is one of them; 0 for all users.
    #[arg(long, requires = "model")]
    cold_items: Option<f64>,
    /// Which items these are.
    #[arg(long, default_value_t = 0)]
    cold_seed: u64,
    /// Measures also how well the next item of users is ranked after 0, 1, 2, 3 and 5 events, this
    /// share of all users being left out of the fit, and as many to weigh members on histories as
    /// short.
    #[arg(long, value_parser = share)]
    cold_users: Option<f64>,
    /// Another checkpoint to compare with on cold items.
    #[arg(long, requires = "cold_items")]
    against: Option<PathBuf>,
    /// Prints JSON alone.
    #[arg(long)]
    json: bool,
    /// Writes a report with plots as one HTML file.
    #[cfg(feature = "report")]
    #[arg(long)]
    report: Option<PathBuf>,
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

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Self::Refit => "refit",
            _ => "train_only",
        }
    }
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
    let start = Instant::now();
    let texts = item_texts(arguments, &catalog, arguments.model.as_deref())?;
    let hypotheses = arguments.hypotheses.scores(&catalog, &arguments.device, &arguments.cache)?;
    let encode_seconds = start.elapsed().as_secs_f64();
    let sequences = Sequences::new(&log, arguments.order, arguments.seed)?;
    let split = sequences.split(arguments.protocol)?;
    let ties = TieBreak::new(catalog.ids().iter().map(|id| id.as_str()), 0);
    let variants = match arguments.variant {
        Variant::Both => vec![Variant::TrainOnly, Variant::Refit],
        one => vec![one],
    };

    // The sequence encoders that know the training items alone: weights are chosen with them.
    let encoders = sequence_encoders(arguments, Variant::TrainOnly)?;
    let data = EnsembleData {
        items: catalog.len(),
        texts: Some(&texts),
        sequence: &encoders,
        hypotheses: hypotheses.as_ref(),
    };
    let start = Instant::now();
    let bar = progress_bar(1000, "choosing on validation");
    let search = EnsembleSearch::default();
    let mut tempering = None;
    let (config, mut chosen) = match &arguments.parameters {
        Some(path) => (serde_json::from_reader(File::open(path)?)?, Map::new()),
        None => {
            let mut doing = String::new();
            let mut told = |what: &str, share: f64| {
                if doing != what && bar.is_hidden() {
                    eprintln!("choosing: {what}, {:.0} s", start.elapsed().as_secs_f64());
                }
                doing = what.to_owned();
                bar.set_message(format!("choosing: {what}"));
                bar.set_position((1000.0 * share) as u64);
            };
            let found = search.run(&data, &split.train, &split.validation, &ties, &mut told)?;
            let mut of_hypotheses: Vec<_> =
                found.tried.iter().filter(|trial| tempered(&trial.member).is_some()).collect();
            of_hypotheses.sort_by(|a, b| b.ndcg.total_cmp(&a.ndcg));
            tempering = of_hypotheses.first().and_then(|trial| tempered(&trial.member));
            let mut chosen = Map::new();
            chosen.insert("validation_ndcg@10".to_owned(), json!(found.ndcg));
            chosen.insert("tried".to_owned(), json!(found.tried));
            chosen.insert("tried_in_pool".to_owned(), json!(found.tried_in_pool));
            (found.config, chosen)
        }
    };
    bar.finish_and_clear();
    let select_seconds = start.elapsed().as_secs_f64();
    for member in &config.members {
        eprintln!("{:>8.3} × {:?}", member.weight, member.member);
    }
    let in_use = config.members.iter().find_map(|weighted| tempered(&weighted.member));
    if let (Some(scores), Some(tempering)) = (&hypotheses, in_use.or(tempering)) {
        let model = tempering.fit(&split.train, scores)?;
        let report = HypothesisReport::new(tempering, &model, &split, catalog.len(), &ties)?;
        if !arguments.json {
            println!("{report}");
            for case in split.test.iter().take(3) {
                let posterior = model.posterior(case.history)?.probs();
                let likely = in_words(&most_probable(&model, &posterior), 4);
                println!("  user {:<19} {likely}", log.user_id(UserIndex(case.user)).as_str());
            }
        }
        chosen.insert("hypotheses".to_owned(), json!(report));
    }

    let mut evaluated = Vec::new();
    let mut rows = Vec::new();
    for (at, &variant) in variants.iter().enumerate() {
        let last = at + 1 == variants.len();
        let refitted = match variant {
            Variant::Refit => sequence_encoders(arguments, variant)?,
            _ => Vec::new(),
        };
        let sequence = if refitted.is_empty() { &encoders } else { &refitted };
        let known = &data;
        let data = EnsembleData { sequence, ..data };
        let mut result = evaluate(variant, last, &config, &split, known, &data, &ties)?;
        result.json.append(&mut chosen);
        result.json.extend([
            ("select_seconds".to_owned(), json!(select_seconds)),
            ("encode_seconds".to_owned(), json!(encode_seconds)),
            ("peak_rss_mb".to_owned(), json!(peak_rss_mb())),
            ("items".to_owned(), json!(catalog.len())),
            ("events".to_owned(), json!(sequences.event_count())),
            ("parameters".to_owned(), json!(config)),
        ]);
        if arguments.ablation && variant == Variant::TrainOnly {
            let mut config = config.clone();
            if let (None, Some(tempering)) = (in_use, tempering) {
                // Left out on validation: what it would do is measured all the same.
                let member = MemberConfig::Hypotheses(tempering);
                config.members.push(WeightedMember { member, weight: 0.0 });
            }
            rows = ablation(&search, &config, &split, &data, &ties)?;
            result.json.insert("ablation".to_owned(), json!(rows));
        }
        if !arguments.json {
            println!("{result}");
        }
        if let (true, Some(path)) = (last, &arguments.predictions) {
            let file = BufWriter::new(File::create(path)?);
            let user_id = |user: u32| log.user_id(UserIndex(user)).as_str();
            let item_id = |item: u32| catalog.ids()[item as usize].as_str();
            write_predictions(file, &split.test, &result.evaluation, user_id, item_id)?;
        }
        evaluated.push(result);
    }
    let new_users = match arguments.cold_users {
        None => Vec::new(),
        Some(share) => {
            let users = sequences.items();
            cold_users(&search, &config, users, share, arguments.seed, &data, &ties)?
        }
    };
    #[cfg(feature = "report")]
    if let Some(path) = &arguments.report {
        let seconds = |name: &str| {
            let of = |one: &Evaluated| one.json[name].as_f64().unwrap_or(f64::NAN);
            evaluated.iter().map(|one| format!("{:.1}", of(one))).collect::<Vec<_>>().join(", ")
        };
        Contents {
            title: &format!("{}, {}", arguments.dataset.name, arguments.protocol.name()),
            variants: &evaluated,
            ablation: &rows,
            cold_users: &new_users,
            counts: &item_counts(&split.train, catalog.len()),
            texts: &texts,
            environment: vec![
                ("command", std::env::args().skip(1).collect::<Vec<_>>().join(" ")),
                ("version", env!("CARGO_PKG_VERSION").to_owned()),
                ("threads", rayon::current_num_threads().to_string()),
                ("choosing, s", format!("{select_seconds:.1}")),
                ("calibrating, s", seconds("calibrate_seconds")),
                ("fitting, s", seconds("fit_seconds")),
                ("scoring, s", seconds("score_seconds")),
                (
                    "peak memory, MB",
                    peak_rss_mb().map_or_else(String::new, |mb| format!("{mb:.0}")),
                ),
                ("members", serde_json::to_string(&config)?),
            ],
        }
        .write(path)?;
    }
    if !arguments.json {
        for row in &new_users {
            println!(
                "new users, events known {}   HR@10 {:.4}, weighed on histories as short {:.4}, popularity's {:.4}  ({} users)",
                row.events, row.hr, row.weighed_hr, row.popularity_hr, row.users
            );
        }
        return Ok(());
    }
    let mut output = Map::new();
    for result in evaluated {
        output.insert(result.name.to_owned(), Value::Object(result.json));
    }
    if !new_users.is_empty() {
        output.insert("cold_users".to_owned(), json!(new_users));
    }
    println!("{}", serde_json::to_string_pretty(&Value::Object(output))?);
    Ok(())
}

/// Fits and calibrates as a variant has it, and measures on the test. Calibration is learned with the
/// sequence encoders in `known`, to which validation is new.
fn evaluate(
    variant: Variant,
    last: bool,
    config: &EnsembleConfig,
    split: &Split<'_>,
    known: &EnsembleData<'_>,
    data: &EnsembleData<'_>,
    ties: &TieBreak,
) -> Result<Evaluated, Box<dyn Error>> {
    let name = variant.name();
    // At test, members fitted on training items are one item behind the history; a refit isn't.
    // Calibration is learned as far behind as it will be used.
    let behind: Vec<&[u32]> = split
        .train
        .iter()
        .map(|items| &items[..items.len() - usize::from(items.len() > 1)])
        .collect();
    let (fitted_on, calibrated_on) = match variant {
        Variant::Refit => (&split.refit, &split.train),
        _ => (&split.train, &behind),
    };
    let start = Instant::now();
    let behind = config.fit(calibrated_on, known)?;
    let calibration = behind.calibration(&split.validation)?;
    let calibrate_seconds = start.elapsed().as_secs_f64();

    let counts = item_counts(fitted_on, data.items);
    let list_length = if last { 100 } else { 0 };
    let ranking = FullRankingConfig { list_length, reliability: true, ..Default::default() }
        .build(&counts, ties)?;
    let (validation_loss, validation_deciles) = cross_fit(behind, &split.validation, &ranking)?;
    let start = Instant::now();
    let model = config.fit(fitted_on, data)?.calibrated(calibration)?;
    let fit_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let bar = progress_bar(split.test.len(), name);
    let evaluation =
        ranking.evaluate(&model, &split.test, &|done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let score_seconds = start.elapsed().as_secs_f64();
    let popularity = ranking.evaluate(&Popularity::new(&counts, 1.0)?, &split.test, &|_| {})?;

    let Value::Object(mut json) = serde_json::to_value(evaluation.summary())? else {
        return Err("the summary is no JSON object".into());
    };
    let names = config.members.iter().map(|weighted| weighted.member.name().to_owned());
    let of_members = names.zip(model.member_log_losses(&split.test)?.into_iter().map(Value::from));
    let deciles = deciles(evaluation.reliability().ok_or("nothing was counted")?);
    let pit = evaluation.pit(0);
    let pit = json!({ "tenths": pit.histogram(10), "uniformity": pit.uniformity() });
    json.extend([
        ("pit".to_owned(), pit),
        ("calibrate_seconds".to_owned(), json!(calibrate_seconds)),
        ("fit_seconds".to_owned(), json!(fit_seconds)),
        ("score_seconds".to_owned(), json!(score_seconds)),
        ("popularity".to_owned(), serde_json::to_value(popularity.summary())?),
        ("deciles".to_owned(), json!(deciles)),
        ("member_log_loss".to_owned(), Value::Object(of_members.collect())),
        ("validation_log_loss".to_owned(), json!(validation_loss)),
        ("validation_deciles".to_owned(), json!(validation_deciles)),
    ]);
    Ok(Evaluated { name, evaluation, json, deciles, validation_deciles })
}

/// A share of the users, which leaves some of them.
fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("a number between 0 and 1, such as 0.1, is expected".to_owned()),
    }
}

fn tempered(member: &MemberConfig) -> Option<HypothesisConfig> {
    match member {
        MemberConfig::Hypotheses(config) => Some(*config),
        _ => None,
    }
}

/// What `train_sequence` has written for a variant; nothing unless each has been refitted.
fn sequence_encoders(
    arguments: &Arguments,
    variant: Variant,
) -> Result<Vec<NextItemModel>, Box<dyn Error>> {
    let folders = arguments.sequence.iter().map(|folder| folder.join(variant.name()));
    let folders: Vec<PathBuf> = folders.collect();
    let missing = folders.iter().find(|folder| !folder.join("config.json").exists());
    if let (Variant::Refit, Some(missing)) = (variant, missing) {
        eprintln!("nothing in {}: encoders of the training items stand in", missing.display());
        return Ok(Vec::new());
    }
    let load = |folder: &PathBuf| Ok(NextItemModel::load(folder, &arguments.device)?);
    folders.iter().map(load).collect()
}

/// The TF-IDF vectors of the items' texts, and their embeddings where there is a model.
fn item_texts(
    arguments: &Arguments,
    catalog: &Catalog,
    model: Option<&Path>,
) -> Result<ItemTexts, Box<dyn Error>> {
    let embed = |model| embed_items(catalog, model, &arguments.device, &arguments.cache);
    let embeddings = model.map(embed).transpose()?;
    Ok(ItemTexts::new(embeddings, Some(item_tf_idf(catalog)), 50, 6.0)?)
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
    let texts = item_texts(arguments, catalog, Some(model))?;
    let of_embeddings = |decay| MemberConfig::Text { decay };
    let result = ColdResult::new(&texts, of_embeddings, &ties, &validation, &test)?;
    let mut output = result.json();
    let of_tf_idf = |decay| MemberConfig::TfIdf { decay };
    let tf_idf = ColdResult::new(&texts, of_tf_idf, &ties, &validation, &test)?;
    output.insert("tf_idf".to_owned(), Value::Object(tf_idf.json()));
    let ranked = items.without_them(&all, &texts, &ties, &test)?;
    output.insert("next_step".to_owned(), json!(ranked));
    output.insert("cold_items".to_owned(), json!(items.count()));
    output.insert("items".to_owned(), json!(catalog.len()));
    output.insert("validation_users".to_owned(), json!(validation.len()));
    if let Some(against) = &arguments.against {
        let embeddings = embed_items(catalog, against, &arguments.device, &arguments.cache)?;
        let texts = ItemTexts::new(Some(embeddings), None, 50, 6.0)?;
        let other = ColdResult::new(&texts, of_embeddings, &ties, &validation, &test)?;
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
