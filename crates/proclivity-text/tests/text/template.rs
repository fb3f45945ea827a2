//! Templates of one's own: what they can say, and what they can't be made to say.

use crate::shop::{A, B, catalog, event, every_kind, text};
use proclivity_schema::{
    Action, Catalog, Event, Item, ItemIndex, Language, Price, Rating, UserId, UserIndex,
};
use proclivity_text::{
    Locale, Order, RatingScale, RichOptions, SpecialTokens, Template, TemplateData, TextError,
};
use proptest::prelude::*;

fn render(
    source: &str,
    events: &[Event],
    items: &[ItemIndex],
    catalog: &Catalog,
    options: &RichOptions,
) -> Result<String, TextError> {
    Template::new(source)?.with_fuel(20_000).render(&TemplateData {
        user: &UserId::from(1),
        events,
        items,
        catalog,
        locale: Locale::english(),
        options,
        special: &SpecialTokens::common(),
    })
}

#[test]
fn what_a_template_can_say() {
    let source = "\
User {{ user }} ({{ language }}): {{ history }}
{% for event in events -%}
- {{ event.kind }} {{ event.title or event.query or event.name }}
{%- if event.category %} in {{ event.category }}{% endif %}
{%- if event.amount is not none %} {{ event.amount }}{% endif %}
{%- if event.rating %} ({{ event.rating }}){% endif %}
{%- if event.ago %}, {{ event.ago }}{% endif %}
{%- if event.time %} at {{ event.time }}{% endif %}
{%- if event.comment %} “{{ event.comment }}”{% endif %}
{%- if event.target %} [{{ event.target }}]{% endif %} = {{ event.text }}
{% endfor %}
{%- for item in items %}{{ loop.index }}. {{ item.title | upper }} {{ item.id }} {{ item.price }} {{ item.currency }} {{ item.brand }} {{ item.description }}
{% endfor %}";
    let mut events = every_kind()[3..].to_vec();
    let rate = Action::Rate { item: A, rating: Rating::new(5.0).unwrap() };
    events.push(Event::new(UserIndex(0), Some("2021-01-03".parse().unwrap()), rate));
    let options = RichOptions {
        now: Some("2021-01-04".parse().unwrap()),
        rating_scale: Some(RatingScale::new(1.0, 5.0).unwrap()),
        order: Order::NewestFirst,
        max_events: 24,
        ..RichOptions::default()
    };
    let catalog = catalog()
        .map(|_, item| Ok(item.with_brand("Zenit").with_price(Price::new(19.5, "EUR")?)))
        .unwrap();
    insta::assert_snapshot!(render(source, &events, &[B, A], &catalog, &options).unwrap());
}

#[test]
fn errors_say_the_line() {
    let sources = [
        "{{ user",
        "\n{% for event in events %}",
        "\n\n{{ events[0].price }}",
        "{{ usr }}",
        "{{ user | hash }}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{{ a * b }}{% endfor %}{% endfor %}",
        "{{ 'a' * 1000000000000 }}",
        "{% include '/etc/passwd' %}",
        "{% extends 'other' %}",
        "{% import 'other' as other %}",
    ];
    let events = [event(Action::View { item: A })];
    let errors = sources.map(|source| {
        let error = render(source, &events, &[], &catalog(), &RichOptions::default()).unwrap_err();
        assert!(matches!(error, TextError::Template { line: Some(_), .. }), "{source}: {error:?}");
        error.to_string()
    });
    insta::assert_snapshot!(errors.join("\n"));
}

proptest! {
    #[test]
    fn values_stay_in_the_templates_quotes(
        title in "x([\"'`“”„「」\n\u{202e}\u{200b}{}%]|\\[SEP\\]|<\\|im_end\\|>|</history>|\\{\\{ user \\}\\}){0,8}",
    ) {
        let item = Item::new(1.into(), vec![text(Language::ENGLISH, &title, &[&title], &title)]);
        let item = item.unwrap().with_brand(title.as_str());
        let catalog = Catalog::new(vec![item]).unwrap();
        let events = [
            event(Action::Comment { item: A, text: title.as_str().into() }),
            event(Action::Search { query: title.as_str().into() }),
        ];
        let source = "{% for event in events %}{{ event.title }}|{{ event.category }}|{{ event.query }}|{{ event.comment }}{% endfor %}{% for item in items %}{{ item.description }}|{{ item.brand }}{% endfor %}";
        let text = render(source, &events, &[A], &catalog, &RichOptions::default()).unwrap();
        let closing = ['"', '\'', '`', '“', '”', '„', '「', '」', '\n', '\u{202e}'];
        prop_assert!(!text.contains(closing), "{}", text);
        prop_assert!(!SpecialTokens::common().are_in(&text) && !text.contains("</history"));
    }
}
