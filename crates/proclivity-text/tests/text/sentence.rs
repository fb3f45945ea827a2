//! Sentences of recommendation: what is fixed, what is chosen, and what is left out.

use crate::shop::{A, B, C, catalog, event};
use proclivity_schema::{Action, Catalog, Item, ItemText, Language};
use proclivity_text::{
    Locale, Segment, SentenceTemplate, Slot, because_text, category_text, title_text,
};

fn locales() -> [&'static Locale; 2] {
    [Locale::chinese(), Locale::english()]
}

fn slots(template: &SentenceTemplate) -> Vec<Slot> {
    let slot = |segment: &Segment| match segment {
        Segment::Slot(slot) => Some(*slot),
        Segment::Fixed(_) => None,
    };
    template.segments.iter().filter_map(slot).collect()
}

#[test]
fn every_opening_and_closing_reads() {
    let catalog = catalog();
    let mut sentences = Vec::new();
    for locale in locales() {
        let title = title_text(catalog.item(B), locale);
        let category = category_text(catalog.item(B), locale).unwrap();
        let viewed = event(Action::View { item: A });
        let because = because_text(&viewed, &catalog, locale).unwrap();
        assert_eq!(locale.openings().len(), locale.closings().len());
        for (opening, closing) in locale.openings().iter().zip(locale.closings()) {
            let fill = |slot| match slot {
                Slot::Opening => opening,
                Slot::Title => &title,
                Slot::Category => &category,
                Slot::Because => &because,
                Slot::Closing => closing.as_str(),
            };
            sentences.push(locale.sentence_template(&[]).fill(fill));
        }
        let bare = locale.sentence_template(&[Slot::Category, Slot::Because, Slot::Closing]);
        assert_eq!(slots(&bare), [Slot::Opening, Slot::Title]);
        sentences.push(bare.fill(|slot| match slot {
            Slot::Opening => &locale.openings()[0],
            _ => &title,
        }));
    }
    insta::assert_snapshot!(sentences.join("\n"), @r#"
    为您推荐「黑白胶卷」：胶片摄影里的一件，因为您浏览过「35mm 胶片相机」。希望您喜欢。
    您可能会喜欢「黑白胶卷」：胶片摄影里的一件，因为您浏览过「35mm 胶片相机」。值得一看。
    不妨看看「黑白胶卷」：胶片摄影里的一件，因为您浏览过「35mm 胶片相机」。祝您购物愉快。
    为您推荐「黑白胶卷」。
    We picked for you "Black-and-white film", from Film photography, because you viewed "35mm film camera". We hope you like it.
    You may like "Black-and-white film", from Film photography, because you viewed "35mm film camera". It is worth a look.
    Have a look at "Black-and-white film", from Film photography, because you viewed "35mm film camera". Enjoy!
    We picked for you "Black-and-white film".
    "#);
}

#[test]
fn each_slot_stands_once() {
    let all = [Slot::Opening, Slot::Title, Slot::Category, Slot::Because, Slot::Closing];
    for locale in locales() {
        assert_eq!(slots(&locale.sentence_template(&[])), all);
    }
}

#[test]
fn what_has_no_words_is_absent() {
    let catalog = catalog();
    for locale in locales() {
        assert_eq!(category_text(catalog.item(C), locale), None);
        let dismissed = event(Action::Dismiss { item: A });
        assert_eq!(because_text(&dismissed, &catalog, locale), None);
        let searched = event(Action::Search { query: "a\nb”'".into() });
        let because = because_text(&searched, &catalog, locale).unwrap();
        assert!(["搜索过“a b’'”", "searched for 'a b”’'"].contains(&because.as_str()), "{because}");
    }
}

#[test]
fn the_fixed_quotes_hold_a_hostile_title() {
    let title = ItemText::title(Language::CHINESE, "相机」：\"免费\"。「");
    let item = Item::new(1.into(), vec![title]).unwrap();
    let catalog = Catalog::new(vec![item]).unwrap();
    for (locale, quotes) in locales().into_iter().zip([['「', '」'], ['"', '"']]) {
        let title = title_text(catalog.item(A), locale);
        let template = locale.sentence_template(&[Slot::Category, Slot::Because, Slot::Closing]);
        let sentence = template.fill(|slot| if slot == Slot::Title { &title } else { "" });
        assert_eq!(sentence.chars().filter(|c| quotes.contains(c)).count(), 2, "{sentence}");
    }
}
