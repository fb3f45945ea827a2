//! The showcases: embedded catalogs of three domains, their interests, and whom each item serves.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use proclivity_schema::{Catalog, Interest, Item, ItemIndex};
use serde::{Deserialize, Serialize};

use crate::DataError;

/// A domain of the showcases: what kind of items there are and what is done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Goods: viewed, put into the cart, bought, returned, rated.
    Shop,
    /// Videos: watched in part or whole, liked, disliked, skipped.
    Video,
    /// Topics of a social network: viewed, liked, commented, shared, followed.
    Social,
}

impl Domain {
    /// Every domain.
    pub const ALL: [Self; 3] = [Self::Shop, Self::Video, Self::Social];

    /// The name in items and events: `shop`, `video`, `social`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Video => "video",
            Self::Social => "social",
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An invented catalog that travels with this crate, of one domain or of all three.
///
/// Every domain has at least 120 items with Chinese and English texts, and all have the same ten
/// interests in the same order. Items 1001 to 1005 of the shop are those of the worked example;
/// the simulator leaves them out, so that a language model knows them by their texts alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Showcase {
    catalog: Catalog,
    interests: Vec<Interest>,
    affinities: Vec<Vec<f64>>,
    domains: Vec<(Domain, Range<usize>)>,
    worked_example: Option<[ItemIndex; 5]>,
}

/// Items 1001 to 1005, by which the shop's worked example goes.
const WORKED_EXAMPLE: [&str; 5] = ["1001", "1002", "1003", "1004", "1005"];

macro_rules! embedded {
    ($domain:expr, $folder:literal) => {
        Files {
            domain: $domain,
            catalog: (
                concat!($folder, "/catalog.jsonl"),
                include_str!(concat!("showcase/", $folder, "/catalog.jsonl")),
            ),
            interests: (
                concat!($folder, "/interests.json"),
                include_str!(concat!("showcase/", $folder, "/interests.json")),
            ),
            affinities: (
                concat!($folder, "/affinities.json"),
                include_str!(concat!("showcase/", $folder, "/affinities.json")),
            ),
        }
    };
}

/// Name and text of each file of a domain.
struct Files {
    domain: Domain,
    catalog: (&'static str, &'static str),
    interests: (&'static str, &'static str),
    affinities: (&'static str, &'static str),
}

impl Files {
    fn of(domain: Domain) -> Self {
        match domain {
            Domain::Shop => embedded!(domain, "shop"),
            Domain::Video => embedded!(domain, "video"),
            Domain::Social => embedded!(domain, "social"),
        }
    }

    fn read(&self) -> Result<Showcase, DataError> {
        let broken = |file| move |source| DataError::Embedded { file, source };
        let domain = self.domain;
        let (file, text) = self.catalog;
        let items = text
            .lines()
            .map(|line| {
                serde_json::from_str(line).map(|item: Item| item.with_domain(domain.as_str()))
            })
            .collect::<Result<Vec<Item>, _>>()
            .map_err(broken(file))?;
        let (file, text) = self.interests;
        let interests: Vec<Interest> = serde_json::from_str(text).map_err(broken(file))?;
        let (file, text) = self.affinities;
        let by_item: BTreeMap<String, BTreeMap<String, f64>> =
            serde_json::from_str(text).map_err(broken(file))?;
        let affinities = items
            .iter()
            .map(|item| {
                let of_item = by_item.get(item.id().as_str());
                let affinity = |interest: &Interest| {
                    of_item.and_then(|of_item| of_item.get(&interest.id)).copied().unwrap_or(0.0)
                };
                interests.iter().map(affinity).collect()
            })
            .collect();
        let domains = vec![(domain, 0..items.len())];
        let catalog = Catalog::new(items)?;
        let worked_example = match domain {
            Domain::Shop => {
                let mut found = [ItemIndex(0); 5];
                for (found, id) in found.iter_mut().zip(WORKED_EXAMPLE) {
                    *found = catalog.index(id)?;
                }
                Some(found)
            }
            Domain::Video | Domain::Social => None,
        };
        Ok(Showcase { catalog, interests, affinities, domains, worked_example })
    }
}

impl Showcase {
    /// The embedded catalog of one domain.
    ///
    /// # Errors
    /// None in a released version: a test reads the same files.
    pub fn of(domain: Domain) -> Result<Self, DataError> {
        Files::of(domain).read()
    }

    /// The shop: goods with prices.
    ///
    /// # Errors
    /// None in a released version: a test reads the same files.
    pub fn shop() -> Result<Self, DataError> {
        Self::of(Domain::Shop)
    }

    /// The videos.
    ///
    /// # Errors
    /// None in a released version: a test reads the same files.
    pub fn video() -> Result<Self, DataError> {
        Self::of(Domain::Video)
    }

    /// The topics of a social network.
    ///
    /// # Errors
    /// None in a released version: a test reads the same files.
    pub fn social() -> Result<Self, DataError> {
        Self::of(Domain::Social)
    }

    /// All domains as one catalog, the shop's items first, with one set of interests: named as in
    /// the shop and described by the words of every domain.
    ///
    /// # Errors
    /// None in a released version: a test reads the same files.
    pub fn all() -> Result<Self, DataError> {
        let mut all = Self::shop()?;
        let mut items = all.catalog.items().to_vec();
        for domain in [Domain::Video, Domain::Social] {
            let other = Self::of(domain)?;
            all.domains.push((domain, items.len()..items.len() + other.catalog.len()));
            items.extend_from_slice(other.catalog.items());
            all.affinities.extend(other.affinities);
            for (interest, other) in all.interests.iter_mut().zip(&other.interests) {
                for text in &mut interest.texts {
                    for word in other.text(&text.language).words.split_whitespace() {
                        if !text.words.split_whitespace().any(|known| known == word) {
                            text.words.push(' ');
                            text.words.push_str(word);
                        }
                    }
                }
            }
        }
        all.catalog = Catalog::new(items)?;
        Ok(all)
    }

    /// The items.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The named interests.
    pub fn interests(&self) -> &[Interest] {
        &self.interests
    }

    /// How much each item serves each interest: 1 for its own, less for others, 0 for most.
    ///
    /// # Shapes
    /// `[items][interests]`
    pub fn affinities(&self) -> &[Vec<f64>] {
        &self.affinities
    }

    /// The domains with the indices of their items, which follow each other.
    pub fn domains(&self) -> &[(Domain, Range<usize>)] {
        &self.domains
    }

    /// Items 1001 to 1005, where the shop is part of this showcase.
    pub fn worked_example(&self) -> Option<&[ItemIndex; 5]> {
        self.worked_example.as_ref()
    }

    /// The same showcase with other items, in the same order and serving the same interests: to
    /// rename ids or exchange texts in experiments.
    ///
    /// # Errors
    /// [`DataError::Count`] when there are more or fewer items, and what [`Catalog::new`] refuses.
    pub fn with_items(&self, items: Vec<Item>) -> Result<Self, DataError> {
        if items.len() != self.catalog.len() {
            let (expected, got) = (self.catalog.len(), items.len());
            return Err(DataError::Count { what: "items", expected, got });
        }
        Ok(Self { catalog: Catalog::new(items)?, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proclivity_schema::Language;
    use std::collections::BTreeSet;

    #[test]
    fn every_item_is_whole_in_both_languages() {
        for domain in Domain::ALL {
            let showcase = Showcase::of(domain).unwrap();
            assert!(showcase.catalog().len() >= 120);
            assert_eq!(showcase.interests().len(), 10);
            for language in [Language::CHINESE, Language::ENGLISH] {
                let mut titles = BTreeSet::new();
                for item in showcase.catalog().items() {
                    let (id, text) = (item.id(), item.text(&language));
                    assert_eq!(text.language, language, "{id}");
                    assert!(matches!(&text.categories[..], [path] if path.len() == 2), "{id}");
                    assert!(!text.description.is_empty(), "{id}");
                    assert!(titles.insert(&text.title), "{id} has a title twice");
                    assert_eq!(item.domain(), Some(domain.as_str()));
                    let priced = item.price().is_some_and(|price| price.currency() == "CNY");
                    assert_eq!(priced, domain == Domain::Shop, "{id}");
                }
                for interest in showcase.interests() {
                    assert_eq!(interest.text(&language).language, language);
                }
            }
            for (item, affinities) in showcase.catalog().items().iter().zip(showcase.affinities()) {
                let own = affinities.iter().filter(|&&affinity| affinity == 1.0).count();
                assert_eq!(own, 1, "{} serves one interest above all", item.id());
                assert!(affinities.iter().all(|affinity| (0.0..=1.0).contains(affinity)));
            }
            for interest in 0..10 {
                let items = showcase.affinities().iter().filter(|a| a[interest] == 1.0).count();
                let id = &showcase.interests()[interest].id;
                assert!(items >= 10, "{domain}, {id}: {items}");
            }
        }
    }

    #[test]
    fn all_domains_are_one_catalog_with_one_set_of_interests() {
        let all = Showcase::all().unwrap();
        let mut end = 0;
        for (&domain, (listed, items)) in Domain::ALL.iter().zip(all.domains()) {
            let one = Showcase::of(domain).unwrap();
            assert_eq!((domain, items.start), (*listed, end));
            end = items.end;
            assert_eq!(&all.catalog().items()[items.clone()], one.catalog().items());
            assert_eq!(&all.affinities()[items.clone()], one.affinities());
            for (interest, own) in all.interests().iter().zip(one.interests()) {
                assert_eq!(interest.id, own.id);
                for text in &own.texts {
                    let words = &interest.text(&text.language).words;
                    let words: BTreeSet<_> = words.split_whitespace().collect();
                    assert!(text.words.split_whitespace().all(|word| words.contains(word)));
                }
            }
        }
        assert_eq!(end, all.catalog().len());
        let example = all.worked_example().unwrap().map(|item| all.catalog().item(item).id());
        assert_eq!(example.map(|id| id.as_str()), WORKED_EXAMPLE);
        assert_eq!(Showcase::video().unwrap().worked_example(), None);
        assert_eq!(Showcase::social().unwrap().worked_example(), None);
    }
}
