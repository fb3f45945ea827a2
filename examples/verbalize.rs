//! Says what a user of a data set did, in Chinese or English: in the plain form, which parses
//! back, and in the rich form, within a budget of tokens.
//!
//! ```text
//! cargo run --release --example verbalize -- \
//!     --dataset ml-100k --data DIR --user 196 --language en --budget 128 \
//!     --model models/all-MiniLM-L6-v2
//! ```
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use proclivity::data::{Dataset, Preset, load};
use proclivity::schema::{Action, Event, Language, Log, UserIndex};
use proclivity::text::{
    BudgetConfig, Grouping, Locale, Order, Popularity, PromptPart, RatingScale, RichOptions,
    SpecialTokens, TokenBudget, history_text, parse_plain, plain, prompt_part,
};
use proclivity_examples::tell;
use tokenizers::Tokenizer;

/// Says what a user of a data set did.
#[derive(Parser)]
struct Arguments {
    /// ml-100k, ml-1m, ….
    #[arg(long)]
    dataset: Preset,
    /// The folder that holds it.
    #[arg(long)]
    data: PathBuf,
    /// A user of the data set.
    #[arg(long)]
    user: String,
    /// zh or en.
    #[arg(long, default_value = "zh", value_parser = Language::new)]
    language: Language,
    /// How many tokens the rich form may have; needs `--model`.
    #[arg(long, requires = "model")]
    budget: Option<usize>,
    /// A directory with the tokenizer.json of the model that reads the text.
    #[arg(long)]
    model: Option<PathBuf>,
}

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Dataset { catalog, log, report, .. } = load(arguments.dataset, &arguments.data)?;
    println!("{report}\n");
    let locale = Locale::for_language(&arguments.language)?;
    let user = log.user(&arguments.user)?;
    let events = log.history(user);

    let text = plain(log.user_id(user), events, &catalog, locale);
    println!("Plain:\n{text}\n");
    let (parsed_user, parsed) = parse_plain(&text, locale)?;
    println!("It parses back to user {parsed_user} and {} events.\n", parsed.len());

    let options = RichOptions {
        max_events: events.len(),
        grouping: Grouping::Day,
        order: Order::NewestFirst,
        with_counts: true,
        now: log.events().iter().filter_map(|event| event.time).max(),
        rating_scale: rating_scale(&log, user),
        ..RichOptions::default()
    };
    let (rich, special) = match (&arguments.model, arguments.budget) {
        (Some(model), Some(max_tokens)) => {
            let tokenizer = Tokenizer::from_file(model.join("tokenizer.json"))
                .map_err(|error| -> Box<dyn Error> { error })?;
            let special = SpecialTokens::of_tokenizer(&tokenizer);
            let config = BudgetConfig { max_tokens, ..BudgetConfig::default() };
            let mut budget = TokenBudget::new(tokenizer, config)?
                .with_popularity(Popularity::of(&log, catalog.len()));
            let fitted = budget.fit(events, &catalog, locale, &options)?;
            println!(
                "Rich, {} of {max_tokens} tokens, {} of {} events:",
                fitted.tokens,
                fitted.kept.len(),
                events.len()
            );
            (fitted.text, special)
        }
        _ => {
            println!("Rich, all {} events:", events.len());
            (history_text(events, &catalog, locale, &options), SpecialTokens::common())
        }
    };
    println!("{rich}\n");
    println!("In a prompt:\n{}", prompt_part(PromptPart::History, &rich, locale, &special));
    Ok(())
}

/// From the smallest to the largest rating of the log, where it has two and the user rated.
fn rating_scale(log: &Log, user: UserIndex) -> Option<RatingScale> {
    let rating = |event: &Event| match event.action {
        Action::Rate { rating, .. } => Some(rating.get()),
        _ => None,
    };
    log.history(user).iter().find_map(rating)?;
    let ratings = || log.events().iter().filter_map(rating);
    let (worst, best) = (ratings().reduce(f32::min)?, ratings().reduce(f32::max)?);
    RatingScale::new(worst, best).ok()
}
