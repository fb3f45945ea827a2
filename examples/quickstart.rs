//! The whole way on an embedded shop: from an event log to ranked, explained, written
//! recommendations that learn from feedback.
//!
//! ```text
//! cargo run --release --example quickstart
//! ```
#![expect(clippy::print_stdout, reason = "a command")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use proclivity::data::{
    ErrorPolicy, ItemSequences, Noise, Showcase, Simulation, Simulator, read_event_csv, split_users,
};
use proclivity::encoder::{ComputeDevice, Segment, TrainProgress};
use proclivity::eval::{Case, FullRankingConfig, Popularity, Random};
use proclivity::posterior::{
    Dirichlet, InterestLikelihood, InterestModel, Predictive, entropy, exact_shares,
};
use proclivity::schema::{Action, Event, EventKind, Language, Log, UserIndex};
use proclivity::text::{
    Locale, Segment as Piece, Slot, because_text, category_text, plain, title_text,
};
use proclivity::{
    LearnConfig, Learned, LearningData, Recommender, Source, UserState, behaviour_text,
    first_occurrences, item_counts, learn,
};
use proclivity_examples::{Recovery, interval_line, progress_bar, recovery, shares_by_label, tell};

/// Walks the whole way on an embedded shop.
#[derive(Parser)]
struct Arguments {
    /// The backend, such as flex, tch or cuda:0.
    #[arg(long, default_value = "flex")]
    device: ComputeDevice,
}

fn main() -> ExitCode {
    tell(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    heading(1, "Collect");
    let shop = Showcase::shop()?;
    let simulation = Simulator::default().run(&shop)?;
    let csv = collect(&shop, &simulation)?;

    heading(2, "Clean");
    let policy = ErrorPolicy::Quarantine { max_share: 0.05 };
    let (log, report) = read_event_csv(&csv[..], "events.csv", shop.catalog(), policy)?;
    println!("{report}");
    println!(
        "events.csv itself is {:.1} MB; {} users are left.",
        csv.len() as f64 / 1e6,
        log.user_count()
    );

    heading(3, "Put into words");
    for id in ["1", "2"] {
        let (user, history) =
            (log.user_ids()[log.user(id)?.get()].clone(), log.history(log.user(id)?));
        println!("  {}", plain(&user, history, shop.catalog(), Locale::chinese()));
        println!("  {}", plain(&user, history, shop.catalog(), Locale::english()));
    }
    println!("and as the language model reads it, in titles and without ids:");
    for language in [Language::CHINESE, Language::ENGLISH] {
        println!("  {}", behaviour_text(log.history(log.user("1")?), shop.catalog(), &language)?);
    }

    heading(4, "Train the language model");
    let simulated: Vec<UserIndex> =
        log.users().filter(|&user| truth_of(&log, &simulation, user).is_some()).collect();
    let groups = split_users(simulated.len(), &[0.8, 0.1, 0.1], 1)?;
    let group = |at: usize| -> Vec<UserIndex> {
        groups[at].iter().map(|position| simulated[position.get()]).collect()
    };
    let (training, validation, test) = (group(0), group(1), group(2));
    let learned = train(arguments, &shop, &simulation, &log, &training, &validation)?;
    let recommender = &learned.recommender;

    heading(5, "P(θ|X)");
    for id in ["1", "2"] {
        interests(recommender, &log, id)?;
    }
    recovered(&shop, &simulation, &log, &simulated, recommender)?;

    heading(6, "Recommend");
    let mut states = Vec::new();
    for id in ["1", "2"] {
        states.push(recommend(recommender, &log, id)?);
    }

    heading(7, "Write");
    for (id, state) in ["1", "2"].iter().zip(&states) {
        for locale in [Locale::chinese(), Locale::english()] {
            let history = log.history(log.user(id)?);
            println!("  to user {id}: {}", sentence(&learned, state, history, locale)?);
        }
    }

    heading(8, "Feedback");
    feedback(recommender, &mut states[0])?;

    heading(9, "Evaluate");
    evaluate(recommender, &log, &training, &test)?;
    println!("\nAll of this took {:.0} s.", start.elapsed().as_secs_f64());
    Ok(())
}

fn heading(number: usize, name: &str) {
    println!("\n{number}. {name}\n{}", "─".repeat(name.chars().count() + 3));
}

fn collect(shop: &Showcase, simulation: &Simulation) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut csv = Vec::new();
    let written = Noise::default().write_csv(&simulation.log, shop.catalog(), &mut csv)?;
    println!(
        "A shop of {} items in Chinese and English, {} named interests, {} users and {} events.",
        shop.catalog().len(),
        shop.interests().len(),
        simulation.log.user_count(),
        simulation.log.event_count()
    );
    println!(
        "Written as events.csv, with {} rows repeated, {} spoilt and {} about items the shop doesn't have.",
        written.duplicates, written.malformed, written.unknown_items
    );
    Ok(csv)
}

/// The truth about a user of the log that was read back, by the user's id.
fn truth_of<'a>(
    log: &Log,
    simulation: &'a Simulation,
    user: UserIndex,
) -> Option<&'a proclivity::data::UserTruth> {
    simulation.truth(simulation.log.user(log.user_id(user).as_str()).ok()?)
}

fn train(
    arguments: &Arguments,
    shop: &Showcase,
    simulation: &Simulation,
    log: &Log,
    training: &[UserIndex],
    validation: &[UserIndex],
) -> Result<Learned, Box<dyn Error>> {
    let language_of = |user| {
        truth_of(log, simulation, user).map_or(Language::CHINESE, |truth| truth.language.clone())
    };
    let bar = progress_bar(0, "training");
    let mut told = |progress: TrainProgress<'_>| match progress {
        TrainProgress::Tokenized { vocab_size, tokens, steps } => {
            bar.set_length(steps as u64);
            bar.suspend(|| {
                println!("{tokens} tokens, a vocabulary of {vocab_size}, {steps} steps at most")
            });
        }
        TrainProgress::Step { step, .. } => bar.set_position(step as u64),
        TrainProgress::Epoch(epoch) => bar.suspend(|| {
            println!(
                "  epoch {}: training {:.3}, validation {:.3} nats a token, {:.1} s",
                epoch.epoch, epoch.train_loss, epoch.validation_loss, epoch.seconds
            );
        }),
        _ => {}
    };
    let learned = learn(
        &LearnConfig::default(),
        LearningData {
            catalog: shop.catalog(),
            interests: shop.interests(),
            log,
            training,
            validation,
        },
        language_of,
        &arguments.device,
        &mut told,
    )?;
    bar.finish_and_clear();
    let report = &learned.report;
    println!(
        "Held-out users cost {:.3} nats a token; equal probabilities cost {:.3}, a unigram model {:.3}.",
        report.validation_loss, report.uniform_loss, report.unigram_loss
    );
    let fitted = learned.recommender.report();
    println!(
        "Chosen on {} validation users: temperature {}, a prior worth {} events, {:.0} % interests and {:.0} % next step.",
        validation.len(),
        fitted.temperature,
        fitted.strength,
        100.0 * fitted.interest_weight,
        100.0 * (1.0 - fitted.interest_weight)
    );
    Ok(learned)
}

fn views(history: &[Event]) -> Vec<u32> {
    let views = history.iter().filter(|event| event.action.kind() == EventKind::View);
    views.filter_map(|event| event.action.item().map(|item| item.0)).collect()
}

fn interests(recommender: &Recommender, log: &Log, id: &str) -> Result<(), Box<dyn Error>> {
    let model = recommender.model();
    let items = views(log.history(log.user(id)?));
    let before = recommender.interest_shares(&recommender.new_user(), 0.9)?;
    let exact = exact_shares(model.prior(), model.likelihood(), &items, 10_000)?;
    let after = exact.intervals(0.9)?;
    println!(
        "\nUser {id}: each interest's share before and after {} views, mean and 90 % interval",
        items.len()
    );
    for (k, interest) in recommender.interests().iter().enumerate() {
        let name = &interest.text(&Language::ENGLISH).name;
        for (label, share) in [(name.as_str(), before[k]), ("", after[k])] {
            println!(
                "  {label:<26} {:>5.1} %  {}  {:>4.1} to {:>4.1} %",
                100.0 * share.mean,
                interval_line(share.lower, share.mean, share.upper, 1.0),
                100.0 * share.lower,
                100.0 * share.upper
            );
        }
    }
    println!(
        "  log evidence log P(X) = {:.2} nats; entropy of the mean shares {:.2} → {:.2} nats",
        exact.log_evidence(),
        entropy(&model.prior().mean()),
        entropy(&exact.mean())
    );
    Ok(())
}

fn recovered(
    shop: &Showcase,
    simulation: &Simulation,
    log: &Log,
    users: &[UserIndex],
    recommender: &Recommender,
) -> Result<(), Box<dyn Error>> {
    let interests = shop.interests().len();
    let weights = ndarray::Array2::from_shape_fn((interests, shop.catalog().len()), |(k, item)| {
        simulation.likelihood[k][item]
    });
    let own = InterestModel::new(
        Dirichlet::new(simulation.prior.clone())?,
        InterestLikelihood::from_weights(weights.view())?,
    )?;
    let cases: Vec<(Vec<u32>, &[f64])> = users
        .iter()
        .filter_map(|&user| {
            let truth = truth_of(log, simulation, user)?;
            Some((views(log.history(user)), &truth.shares[..]))
        })
        .collect();
    println!("\nThe true θ of {} simulated users, recovered from their views:", cases.len());
    println!("  {:<34} KL to θ   inside 50 %   inside 90 %", "");
    let line = |name: &str, recovery: Recovery| {
        let share =
            |share: Option<f64>| share.map_or("–".to_owned(), |s| format!("{:.1} %", 100.0 * s));
        println!(
            "  {name:<34} {:>7.3}   {:>11}   {:>11}",
            recovery.kl_divergence,
            share(recovery.inside_50),
            share(recovery.inside_90)
        );
    };
    let prior = recommender.model().prior().mean();
    let name = "prior alone (language model's)";
    line(name, recovery(name, &cases, |_| Ok((prior.clone(), None)))?);
    let name = "click shares (floored at 0.1 %)";
    let shares = |items: &[u32]| Ok((shares_by_label(shop.affinities(), items), None));
    line(name, recovery(name, &cases, shares)?);
    for (name, model) in [
        ("posterior, language model's P(x|θ)", recommender.model()),
        ("posterior, simulator's own P(x|θ)", &own),
    ] {
        let posterior = |items: &[u32]| {
            let exact = exact_shares(model.prior(), model.likelihood(), items, 64)?;
            Ok((exact.mean(), Some(exact)))
        };
        line(name, recovery(name, &cases, posterior)?);
    }
    Ok(())
}

fn recommend(recommender: &Recommender, log: &Log, id: &str) -> Result<UserState, Box<dyn Error>> {
    let mut state = recommender.new_user();
    let history = log.history(log.user(id)?);
    for event in history {
        recommender.observe(&mut state, &event.action)?;
    }
    let catalog = recommender.catalog();
    let title = |item: u32| {
        let item = &catalog.items()[item as usize];
        format!("{} {}", item.id(), item.text(&Language::ENGLISH).title)
    };
    println!(
        "\nUser {id} viewed {}. Next, among what they haven't seen:",
        views(history).iter().map(|&item| title(item)).collect::<Vec<_>>().join("; ")
    );
    for (place, ranked) in recommender.recommend(&state, 5)?.items.iter().enumerate() {
        println!("  {}. {:>5.2} %  {}", place + 1, 100.0 * ranked.probability, title(ranked.item));
        let reasons = recommender.explain(&state, ranked.item)?;
        let reasons: Vec<String> = reasons
            .iter()
            .map(|reason| {
                let source = match reason.source {
                    Source::Prior => "the prior".to_owned(),
                    Source::Event(at) => format!("view {}", at + 1),
                };
                format!("{:.0} % {source}", 100.0 * reason.share)
            })
            .collect();
        println!("              moved by {}", reasons.join(", "));
    }
    let log_probs = recommender.log_probs(&state)?;
    let seen = views(history);
    let mut rest: Vec<u32> = ["1001", "1002", "1003", "1004", "1005"]
        .iter()
        .filter_map(|id| catalog.index(id).ok())
        .map(|item| item.0)
        .filter(|item| !seen.contains(item))
        .collect();
    rest.sort_by(|&a, &b| log_probs[b as usize].total_cmp(&log_probs[a as usize]));
    println!(
        "  Of the example's items: {}",
        rest.iter()
            .map(|&item| format!(
                "{} {:.2} %",
                catalog.items()[item as usize].id(),
                100.0 * log_probs[item as usize].exp()
            ))
            .collect::<Vec<_>>()
            .join(", then ")
    );
    Ok(state)
}

fn sentence(
    learned: &Learned,
    state: &UserState,
    history: &[Event],
    locale: &Locale,
) -> Result<String, Box<dyn Error>> {
    let recommender = &learned.recommender;
    let top = recommender.recommend(state, 1)?.items.first().map(|ranked| ranked.item);
    let Some(top) = top else { return Ok(String::new()) };
    let item = &recommender.catalog().items()[top as usize];
    // Reasons may only be events that moved the recommendation about as much as any.
    let reasons = recommender.explain(state, top)?;
    let moved = |source: Source| {
        reasons.iter().find(|reason| reason.source == source).map_or(0.0, |reason| reason.share)
    };
    let shares: Vec<f64> = (0..history.len()).map(|at| moved(Source::Event(at))).collect();
    let most = shares.iter().copied().fold(0.0, f64::max);
    let because: Vec<String> = history
        .iter()
        .zip(&shares)
        .filter(|&(_, &share)| share > 0.0 && share >= 0.7 * most)
        .filter_map(|(event, _)| because_text(event, recommender.catalog(), locale))
        .collect();
    let category = category_text(item, locale);
    let mut absent = Vec::new();
    absent.extend(category.is_none().then_some(Slot::Category));
    absent.extend(because.is_empty().then_some(Slot::Because));
    let segments: Vec<Segment> = locale
        .sentence_template(&absent)
        .segments
        .into_iter()
        .map(|piece| match piece {
            Piece::Fixed(words) => Segment::Fixed(words),
            Piece::Slot(Slot::Opening) => Segment::Choice(locale.openings().to_vec()),
            Piece::Slot(Slot::Title) => Segment::Fixed(title_text(item, locale)),
            Piece::Slot(Slot::Category) => Segment::Fixed(category.clone().unwrap_or_default()),
            Piece::Slot(Slot::Because) => Segment::Choice(because.clone()),
            Piece::Slot(Slot::Closing) => Segment::Choice(locale.closings().to_vec()),
        })
        .collect();
    let prompt = behaviour_text(history, recommender.catalog(), locale.language())?;
    Ok(learned.model.write(&prompt, &segments, 0.0, 0)?)
}

fn feedback(recommender: &Recommender, state: &mut UserState) -> Result<(), Box<dyn Error>> {
    let catalog = recommender.catalog();
    let top: Vec<u32> = recommender.recommend(state, 2)?.items.iter().map(|r| r.item).collect();
    let [dismissed, bought] = top[..] else { return Ok(()) };
    let item = |index| proclivity::schema::ItemIndex(index);
    let show = |state: &UserState| -> Result<(), Box<dyn Error>> {
        let shares = recommender.interest_shares(state, 0.9)?;
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by(|&a, &b| shares[b].mean.total_cmp(&shares[a].mean));
        let interests: Vec<String> = order
            .iter()
            .take(3)
            .map(|&k| {
                let name = &recommender.interests()[k].text(&Language::ENGLISH).name;
                format!("{name} {:.1} %", 100.0 * shares[k].mean)
            })
            .collect();
        println!("    interests now: {}", interests.join(", "));
        for ranked in &recommender.recommend(state, 3)?.items {
            let item = &catalog.items()[ranked.item as usize];
            println!(
                "    {:>5.2} %  {} {}",
                100.0 * ranked.probability,
                item.id(),
                item.text(&Language::ENGLISH).title
            );
        }
        Ok(())
    };
    println!("  User 1 before:");
    show(state)?;
    for (deed, action) in [
        ("dismisses", Action::Dismiss { item: item(dismissed) }),
        ("buys", Action::Purchase { item: item(bought), quantity: 1 }),
    ] {
        let start = Instant::now();
        recommender.observe(state, &action)?;
        let micros = start.elapsed().as_secs_f64() * 1e6;
        let index = action.item().map_or(0, |item| item.get());
        println!(
            "  User 1 {deed} {}; the posterior took {micros:.1} µs:",
            catalog.items()[index].id()
        );
        show(state)?;
    }
    Ok(())
}

fn evaluate(
    recommender: &Recommender,
    log: &Log,
    training: &[UserIndex],
    test: &[UserIndex],
) -> Result<(), Box<dyn Error>> {
    let all = ItemSequences::of_kinds(log, |kind| kind == EventKind::View);
    let training: Vec<&[u32]> = training.iter().map(|&user| all.sequence(user)).collect();
    let counts = item_counts(&training, recommender.item_count());
    let sequences: Vec<Vec<u32>> =
        test.iter().map(|&user| first_occurrences(all.sequence(user))).collect();
    let cases: Vec<Case<'_>> = test
        .iter()
        .zip(&sequences)
        .filter_map(|(user, sequence)| {
            let (&target, history) = sequence.split_last()?;
            Some(Case { user: user.0, history, target })
        })
        .collect();
    let ranking = FullRankingConfig::default().build(&counts, recommender.ties())?;
    println!("The last new item of {} held-out users, ranked in the whole catalog:", cases.len());
    let names = ["hr", "precision", "recall", "f1", "ndcg", "coverage", "novelty"];
    println!(
        "  {:<11}{}      mrr  log loss  expected/observed hits",
        "",
        names.map(|name| format!("{:>13}", format!("{name}@10"))).join("")
    );
    let popularity = Popularity::new(&counts, 1.0)?;
    let random = Random::new(recommender.item_count(), 0);
    let contestants: [(&str, &dyn Predictive); 3] =
        [("proclivity", recommender), ("popularity", &popularity), ("random", &random)];
    for (name, predictive) in contestants {
        let evaluation = ranking.evaluate(predictive, &cases, &|_| {})?;
        let summary = evaluation.summary();
        let values = names.map(|name| {
            format!("{:>13.4}", summary.get(&format!("{name}@10")).unwrap_or(f64::NAN))
        });
        println!(
            "  {name:<11}{} {:>8.4} {:>9.3}  {:.0}/{}",
            values.join(""),
            summary.mrr,
            summary.log_loss.unwrap_or(f64::NAN),
            summary.calibration.expected,
            summary.calibration.observed
        );
    }
    Ok(())
}
