//! Token budgets: met whatever the tokenizer does, with the events that are worth most.

use std::path::Path;

use crate::shop::{A, B, C, catalog, event, every_kind, text};
use proclivity_schema::{Action, Catalog, Event, EventKind, Item, ItemIndex, Language, LogBuilder};
use proclivity_text::{
    BudgetConfig, Grouping, Locale, Order, Popularity, RichOptions, SpecialTokens, TextError,
    TokenBudget, event_text, history_text, informativeness,
};
use proptest::prelude::*;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

fn locales() -> [&'static Locale; 2] {
    [Locale::chinese(), Locale::english()]
}

fn training_text() -> Vec<String> {
    locales()
        .map(|locale| history_text(&every_kind(), &catalog(), locale, &RichOptions::default()))
        .into()
}

/// Byte pairs across word boundaries: the tokens of a whole are not those of its parts.
fn byte_pairs() -> Tokenizer {
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, false, false)));
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(420)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from("<|end|>", true)])
        .build();
    tokenizer.train(&mut TrainerWrapper::from(trainer), training_text().iter()).unwrap();
    tokenizer
}

/// Words and marks, in `[CLS]` and `[SEP]`, cut and padded, which budgets leave aside.
fn words() -> Tokenizer {
    r###"{
        "version": "1.0",
        "truncation": { "direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0 },
        "padding": { "strategy": { "Fixed": 300 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]" },
        "added_tokens": [
            { "id": 1, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true },
            { "id": 2, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true }
        ],
        "normalizer": null,
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1] },
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": { "[UNK]": 0, "[CLS]": 1, "[SEP]": 2 }, "unk_token": "[UNK]" }
    }"###
    .parse()
    .unwrap()
}

fn budget(tokenizer: Tokenizer, max_tokens: usize) -> TokenBudget {
    TokenBudget::new(tokenizer, BudgetConfig { max_tokens, ..BudgetConfig::default() }).unwrap()
}

#[test]
fn the_newest_and_most_informative_survive() {
    let events = [
        Action::Purchase { item: A, quantity: 1 },
        Action::View { item: B },
        Action::View { item: C },
        Action::Impression { item: A, position: 0 },
        Action::View { item: A },
        Action::Search { query: "film".into() },
    ]
    .map(event);
    let fit = |max_tokens| {
        let options = RichOptions::default();
        let fitted = budget(words(), max_tokens);
        { fitted }.fit(&events, &catalog(), Locale::english(), &options).unwrap()
    };
    let told: Vec<String> = [2, 7, 8, 15, 24, 40, 60]
        .map(|max| {
            let fitted = fit(max);
            format!("{max}: {} {:?} {}", fitted.tokens, fitted.kept, fitted.text)
        })
        .into();
    insta::assert_snapshot!(told.join("\n"), @r#"
    2: 2 [] 
    7: 2 [] 
    8: 8 [5] Searched for 'film'. 
    15: 15 [0, 5] Bought "35mm film camera". Searched for 'film'. 
    24: 22 [0, 4, 5] Bought "35mm film camera". Viewed "35mm film camera". Searched for 'film'. 
    40: 40 [0, 1, 2, 4, 5] Bought "35mm film camera". Viewed "Black-and-white film". Viewed "Pour-over kettle". Viewed "35mm film camera". Searched for 'film'. 
    60: 47 [0, 1, 2, 3, 4, 5] Bought "35mm film camera". Viewed "Black-and-white film". Viewed "Pour-over kettle". Saw "35mm film camera". Viewed "35mm film camera". Searched for 'film'.
    "#);
}

#[test]
fn rare_items_are_worth_more() {
    let mut log = LogBuilder::new();
    for user in 0..20u64 {
        log.push(user.into(), None, Action::View { item: A }).unwrap();
    }
    let popularity = Popularity::of(&log.build(), 3);
    assert!(popularity.surprise(A) < 0.1 && popularity.surprise(B) == 1.0);
    assert_eq!(popularity.surprise(ItemIndex(99)), 1.0);
    let events = [B, A].map(|item| event(Action::View { item }));
    let options = RichOptions::default();
    let mut plain = budget(words(), 12);
    let kept = |budget: &mut TokenBudget| {
        budget.fit(&events, &catalog(), Locale::english(), &options).unwrap().kept
    };
    assert_eq!(kept(&mut plain), [1]);
    assert_eq!(kept(&mut plain.with_popularity(popularity)), [0]);
}

#[test]
fn what_can_not_be_is_an_error() {
    let config = |change: fn(&mut BudgetConfig)| {
        let mut config = BudgetConfig::default();
        change(&mut config);
        TokenBudget::new(words(), config).map(|_| ())
    };
    assert_eq!(
        config(|config| config.max_tokens = 1),
        Err(TextError::BudgetTooSmall { needed: 2, max_tokens: 1 })
    );
    assert_eq!(
        config(|config| config.half_life = 0.0),
        Err(TextError::BudgetRange { field: "half_life", value: 0.0 })
    );
    assert_eq!(
        config(|config| config.weights = [(EventKind::View, -1.0)].into()),
        Err(TextError::BudgetRange { field: "weights", value: -1.0 })
    );
    for kind in EventKind::ALL {
        assert!((0.0..=1.0).contains(&informativeness(kind)) && informativeness(kind) > 0.0);
    }
}

#[test]
fn titles_spell_no_special_token() {
    let title = "film [SEP] <|end|> \u{ff3b}SEP\u{ff3d} [S\u{200b}EP]";
    let item = Item::new(1.into(), vec![text(Language::ENGLISH, title, &[], "")]).unwrap();
    let catalog = Catalog::new(vec![item]).unwrap();
    for tokenizer in [words(), byte_pairs()] {
        let special = SpecialTokens::of_tokenizer(&tokenizer);
        let options = RichOptions::default();
        let fitted = budget(tokenizer.clone(), 200)
            .fit(&[event(Action::View { item: A })], &catalog, Locale::english(), &options)
            .unwrap();
        assert!(!special.are_in(&fitted.text) && fitted.kept == [0], "{}", fitted.text);
        let ids = tokenizer.encode_fast(fitted.text, false).unwrap();
        for (id, token) in tokenizer.get_added_tokens_decoder() {
            assert!(!ids.get_ids().contains(&id) || !token.special, "{}", token.content);
        }
    }
}

fn options() -> impl Strategy<Value = RichOptions> {
    let grouping = prop::sample::select(vec![
        Grouping::None,
        Grouping::Kind,
        Grouping::Day,
        Grouping::Session,
    ]);
    (grouping, any::<bool>(), any::<bool>(), any::<bool>(), 0..40usize).prop_map(
        |(grouping, newest_first, with_counts, with_category, max_events)| RichOptions {
            grouping,
            order: if newest_first { Order::NewestFirst } else { Order::OldestFirst },
            with_counts,
            with_category,
            max_events,
            ..RichOptions::default()
        },
    )
}

/// Events of every kind, some with texts that tokenizers may stumble over.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let text = "[a-c \\[\\]SEP咖啡。\u{200b}]{0,9}";
    prop::collection::vec((any::<prop::sample::Index>(), text), 0..40).prop_map(|picks| {
        let all = every_kind();
        picks
            .into_iter()
            .map(|(pick, text)| match pick.get(&all).action.clone() {
                Action::Search { .. } => event(Action::Search { query: text.into() }),
                Action::Comment { item, .. } => event(Action::Comment { item, text: text.into() }),
                action => event(action),
            })
            .collect()
    })
}

/// Fits the events in both languages and counts what comes of it anew.
fn check(
    mut tokenizer: Tokenizer,
    config: BudgetConfig,
    events: &[Event],
    options: &RichOptions,
) -> Result<(), TestCaseError> {
    let BudgetConfig { max_tokens, with_special_tokens, .. } = config;
    let mut budget = TokenBudget::new(tokenizer.clone(), config).unwrap();
    tokenizer.with_truncation(None).unwrap();
    tokenizer.with_padding(None);
    for locale in locales() {
        let fitted = budget.fit(events, &catalog(), locale, options).unwrap();
        let tokens = tokenizer.encode(fitted.text.as_str(), with_special_tokens).unwrap().len();
        prop_assert_eq!(tokens, fitted.tokens);
        prop_assert!(tokens <= max_tokens);
        // Whole events, and none but the kept.
        let kept: Vec<Event> = fitted.kept.iter().map(|&kept| events[kept].clone()).collect();
        let said = history_text(&kept, &catalog(), locale, options);
        let special = SpecialTokens::of_tokenizer(&tokenizer);
        prop_assert_eq!(special.neutralize(&said), fitted.text.as_str());
        // What is remembered changes nothing, nor do neighbours.
        let again = budget.fit_all(&[&[], events, events], &catalog(), locale, options);
        prop_assert_eq!(&again.unwrap()[1..], &[fitted.clone(), fitted][..]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_budget_is_always_met(
        events in events(),
        max_tokens in 2..120usize,
        with_special_tokens: bool,
        options in options(),
    ) {
        let config = BudgetConfig { max_tokens, with_special_tokens, ..BudgetConfig::default() };
        for tokenizer in [words(), byte_pairs()] {
            check(tokenizer, config.clone(), &events, &options)?;
        }
    }

    #[test]
    #[ignore = "needs models/all-MiniLM-L6-v2/tokenizer.json"]
    fn the_budget_is_met_with_a_real_tokenizer(
        events in events(),
        max_tokens in 2..120usize,
        with_special_tokens: bool,
        options in options(),
    ) {
        let config = BudgetConfig { max_tokens, with_special_tokens, ..BudgetConfig::default() };
        check(mini_lm(), config, &events, &options)?;
    }
}

fn mini_lm() -> Tokenizer {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/all-MiniLM-L6-v2");
    Tokenizer::from_file(directory.join("tokenizer.json")).unwrap()
}

#[test]
fn a_clause_that_does_not_fit_leaves_room_for_others() {
    let long = Action::Search { query: "very ".repeat(50).into() };
    let events = [event(Action::View { item: A }), event(long)];
    let options = RichOptions::default();
    let fitted = budget(words(), 20).fit(&events, &catalog(), Locale::english(), &options).unwrap();
    assert_eq!(fitted.kept, [0]);
    assert_eq!(fitted.text, event_text(&events[0], &catalog(), Locale::english(), &options));
}
