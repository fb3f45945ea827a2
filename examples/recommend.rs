//! Recommends from a real data set to one of its users, or to a new user from a sentence.
//!
//! ```text
//! scripts/models.sh all-MiniLM-L6-v2
//! cargo run --release --example recommend -- \
//!     --dataset ml-100k --data DIR --model models/all-MiniLM-L6-v2 --user 196 -k 10
//! ```
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Parser};
use proclivity::data::{Dataset, ItemSequences, Preset, load, split_users};
use proclivity::encoder::{BertEncoder, ComputeDevice, TextEncoder, embed_cached};
use proclivity::schema::{Action, Catalog, Interest, InterestText, Language};
use proclivity::text::{interest_text, item_text};
use proclivity::{Recommender, RecommenderConfig, Source, TrainingData, UserState};
use proclivity_examples::hypotheses::categories;
use proclivity_examples::{interval_line, progress_bar, tell};

/// Recommends to a user of a data set, with interests, probabilities and reasons.
#[derive(Parser)]
#[command(group(ArgGroup::new("who").required(true).args(["user", "user_text"])))]
struct Arguments {
    /// ml-100k, ml-1m or beauty.
    #[arg(long)]
    dataset: Preset,
    /// The folder that holds it.
    #[arg(long)]
    data: PathBuf,
    /// A checkpoint directory of the BERT family.
    #[arg(long)]
    model: PathBuf,
    /// A user of the data set.
    #[arg(long)]
    user: Option<String>,
    /// A sentence about a new user.
    #[arg(long)]
    user_text: Option<String>,
    /// How many events the sentence is worth.
    #[arg(long, default_value_t = 5.0)]
    pseudo_count: f64,
    /// How many recommendations.
    #[arg(short, default_value_t = 10)]
    k: usize,
    /// The backend, such as flex, tch or cuda:0.
    #[arg(long, default_value = "flex")]
    device: ComputeDevice,
    /// Where embeddings are kept.
    #[arg(long, default_value = ".cache/embeddings")]
    cache: PathBuf,
}

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Dataset { catalog, log, report, .. } = load(arguments.dataset, &arguments.data)?;
    println!("{report}");
    let encoder = BertEncoder::load(&arguments.model, &arguments.device)?;
    let interests = tags(&catalog);
    let texts: Vec<String> = catalog
        .items()
        .iter()
        .map(|item| item_text(item, &Language::ENGLISH))
        .chain(interests.iter().map(|interest| interest_text(interest, &Language::ENGLISH)))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let bar = progress_bar(texts.len(), "embedding the catalog");
    let embeddings = embed_cached(&encoder, &texts, &arguments.cache, &mut |done| {
        bar.set_position(done as u64)
    })?;
    bar.finish();
    let (items, tags) = embeddings.view().split_at(ndarray::Axis(0), catalog.len());

    let sequences = ItemSequences::positive(&log);
    let groups = split_users(log.user_count(), &[0.9, 0.1], 1)?;
    let of = |group: usize| -> Vec<&[u32]> {
        groups[group].iter().map(|&user| sequences.sequence(user)).collect()
    };
    let recommender = Recommender::fit(
        RecommenderConfig::default(),
        catalog,
        interests,
        TrainingData {
            item_embeddings: items.to_owned(),
            interest_embeddings: tags.to_owned(),
            sequences: &of(0),
            validation: &of(1),
            first_item: None,
        },
    )?;
    let fitted = recommender.report();
    println!(
        "chosen on {} validation users: temperature {}, prior worth {} events, {:.0} % interests and {:.0} % next step\n",
        groups[1].len(),
        fitted.temperature,
        fitted.strength,
        100.0 * fitted.interest_weight,
        100.0 * (1.0 - fitted.interest_weight)
    );

    let user = match (&arguments.user, &arguments.user_text) {
        (Some(id), _) => {
            let mut state = recommender.new_user();
            for event in log.history(log.user(id)?) {
                recommender.observe(&mut state, &event.action)?;
            }
            println!("User {id}, {} events.", state.events().len());
            state
        }
        (None, Some(text)) => {
            let embedding = encoder.embed(&[text], &mut |_| {})?;
            println!("A new user: “{text}”, worth {} events.", arguments.pseudo_count);
            recommender.new_user_from_text(embedding.row(0), arguments.pseudo_count)?
        }
        (None, None) => return Err("either --user or --user-text is needed".into()),
    };
    print_interests(&recommender, &user)?;
    print_recommendations(&recommender, &user, arguments.k)
}

/// Every tag of the catalog as an interest of that name.
fn tags(catalog: &Catalog) -> Vec<Interest> {
    let names = categories(catalog);
    let interest = |name: &str| Interest {
        id: name.to_owned(),
        texts: vec![InterestText {
            language: Language::ENGLISH,
            name: name.to_owned(),
            words: String::new(),
        }],
    };
    match names.is_empty() {
        // A catalog without tags has one interest, whatever it is about.
        true => vec![interest("Everything")],
        false => names.into_iter().map(interest).collect(),
    }
}

fn print_interests(recommender: &Recommender, user: &UserState) -> Result<(), Box<dyn Error>> {
    let shares = recommender.interest_shares(user, 0.9)?;
    let most = shares.iter().map(|share| share.upper).fold(0.0, f64::max);
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|&a, &b| shares[b].mean.total_cmp(&shares[a].mean));
    println!(
        "\nInterests P(θ|X): mean share and 90 % credible interval, 0 to {:.0} %",
        100.0 * most
    );
    for k in order {
        let (name, share) = (&recommender.interests()[k].text(&Language::ENGLISH).name, shares[k]);
        println!(
            "  {name:<14} {:>5.1} %  {}  {:>4.1} to {:>4.1} %",
            100.0 * share.mean,
            interval_line(share.lower, share.mean, share.upper, most),
            100.0 * share.lower,
            100.0 * share.upper
        );
    }
    Ok(())
}

fn print_recommendations(
    recommender: &Recommender,
    user: &UserState,
    k: usize,
) -> Result<(), Box<dyn Error>> {
    let ranking = recommender.recommend(user, k)?;
    if ranking.is_short() {
        println!("\nOnly {} items are left to recommend.", ranking.admissible);
    }
    let catalog = recommender.catalog();
    let title = |item| &catalog.items()[item as usize].text(&Language::ENGLISH).title;
    println!("\nRecommendations, with P(next | X) among what the user hasn't had:");
    for (place, ranked) in ranking.items.iter().enumerate() {
        println!(
            "  {:>2}. {:>6.2} %  {}",
            place + 1,
            100.0 * ranked.probability,
            title(ranked.item)
        );
        let events: Vec<&Action> = user.events().collect();
        let reasons: Vec<String> = recommender
            .explain(user, ranked.item)?
            .iter()
            .take(3)
            .filter_map(|share| {
                let source = match share.source {
                    Source::Prior if events.is_empty() => {
                        "their own words and the prior".to_owned()
                    }
                    Source::Prior => "the prior".to_owned(),
                    Source::Event(at) => title(events[at].item()?.0).clone(),
                };
                Some(format!("{:.0} % {source}", 100.0 * share.share))
            })
            .collect();
        println!("                 from {}", reasons.join(", "));
    }
    Ok(())
}
