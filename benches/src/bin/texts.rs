//! Verbalizes histories, and fits them to a budget of tokens beside the tokenizer alone.
//!
//! ```text
//! cargo run --release -p proclivity-benches --bin texts -- --model models/all-MiniLM-L6-v2
//! ```
//!
//! The tokenizer alone encodes the very texts that the budgets made of the histories.
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use proclivity_schema::{Action, Catalog, Event, ItemIndex, UserIndex};
use proclivity_text::{BudgetConfig, Locale, RichOptions, TokenBudget, history_text_into};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokenizers::Tokenizer;

/// Verbalizes histories, with and without a budget of tokens.
#[derive(Parser)]
struct Arguments {
    /// How many histories of 20 events are verbalized.
    #[arg(long, default_value_t = 1_000_000)]
    histories: u32,
    /// How many of them are fitted to budgets.
    #[arg(long, default_value_t = 50_000)]
    budgeted: usize,
    /// A directory with a tokenizer.json.
    #[arg(long)]
    model: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let catalog = proclivity_data::Showcase::all()?.catalog().clone();
    let histories: Vec<Vec<Event>> =
        (0..arguments.histories).map(|user| history(user, &catalog)).collect();
    let options = RichOptions::default();
    for (language, locale) in [("zh", Locale::chinese()), ("en", Locale::english())] {
        let start = Instant::now();
        let (mut text, mut bytes) = (String::new(), 0);
        for history in &histories {
            text.clear();
            history_text_into(&mut text, history, &catalog, locale, &options);
            bytes += black_box(&text).len();
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{}",
            json!({"language": language, "histories": histories.len(), "bytes": bytes, "seconds": seconds})
        );
    }
    let Some(model) = arguments.model else { return Ok(()) };
    let mut tokenizer = Tokenizer::from_file(model.join("tokenizer.json"))
        .map_err(|error| -> Box<dyn Error> { error })?;
    tokenizer.with_truncation(None).map_err(|error| -> Box<dyn Error> { error })?;
    tokenizer.with_padding(None);
    let histories: Vec<&[Event]> =
        histories.iter().take(arguments.budgeted).map(Vec::as_slice).collect();
    for max_tokens in [64, 128, 512] {
        // Nothing is remembered from the budget before.
        let config = BudgetConfig { max_tokens, ..BudgetConfig::default() };
        let mut budget = TokenBudget::new(tokenizer.clone(), config)?;
        let start = Instant::now();
        let fitted = budget.fit_all(&histories, &catalog, Locale::english(), &options)?;
        let ours = start.elapsed().as_secs_f64();
        let texts: Vec<&str> = fitted.iter().map(|fitted| fitted.text.as_str()).collect();
        let start = Instant::now();
        for batch in texts.chunks(512) {
            let encoded = tokenizer.encode_batch_fast(batch.to_vec(), true);
            black_box(encoded.map_err(|error| -> Box<dyn Error> { error })?);
        }
        let alone = start.elapsed().as_secs_f64();
        println!(
            "{}",
            json!({
                "max_tokens": max_tokens, "histories": fitted.len(), "budget_seconds": ours,
                "tokenizer_seconds": alone, "ratio": alone / ours,
            })
        );
    }
    Ok(())
}

/// Twenty events, drawn from the user's number alone.
fn history(user: u32, catalog: &Catalog) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(user));
    let events = (0..20).map(|_| {
        let item = ItemIndex(rng.random_range(0..catalog.len() as u32));
        let action = match rng.random_range(0..10) {
            0 => Action::Search { query: format!("query {}", rng.random_range(0..1000)).into() },
            1 => Action::Purchase { item, quantity: rng.random_range(1..4) },
            2 => Action::AddToCart { item },
            _ => Action::View { item },
        };
        Event::new(UserIndex(user), None, action)
    });
    events.collect()
}
