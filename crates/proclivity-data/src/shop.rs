//! The embedded shop: a catalog in Chinese and English, its interests, and whom each item serves.

use std::collections::BTreeMap;

use proclivity_schema::{Catalog, Interest, Item};

use crate::DataError;

/// An invented e-commerce catalog that travels with this crate.
///
/// Items 1001 to 1005 are those of the worked example; the simulator leaves them out, so that a
/// language model knows them by their texts alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Shop {
    catalog: Catalog,
    interests: Vec<Interest>,
    affinities: Vec<Vec<f64>>,
}

impl Shop {
    /// Reads the embedded files.
    ///
    /// # Errors
    /// None in a released version: a test reads the same files.
    pub fn embedded() -> Result<Self, DataError> {
        let broken = |file| move |source| DataError::Embedded { file, source };
        let items = include_str!("shop/catalog.jsonl")
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Item>, _>>()
            .map_err(broken("catalog.jsonl"))?;
        let interests: Vec<Interest> = serde_json::from_str(include_str!("shop/interests.json"))
            .map_err(broken("interests.json"))?;
        let by_item: BTreeMap<String, BTreeMap<String, f64>> =
            serde_json::from_str(include_str!("shop/affinities.json"))
                .map_err(broken("affinities.json"))?;
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
        Ok(Self { catalog: Catalog::new(items)?, interests, affinities })
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

    /// The same shop with other items, in the same order and serving the same interests: to rename
    /// ids or exchange texts in experiments.
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
        let shop = Shop::embedded().unwrap();
        assert!(shop.catalog().len() >= 125);
        assert_eq!(shop.interests().len(), 10);
        for language in [Language::CHINESE, Language::ENGLISH] {
            let mut titles = BTreeSet::new();
            for item in shop.catalog().items() {
                let text = item.text(&language);
                assert_eq!(text.language, language, "{}", item.id());
                assert!(matches!(&text.categories[..], [path] if path.len() == 2), "{}", item.id());
                assert!(!text.description.is_empty(), "{}", item.id());
                assert!(titles.insert(&text.title), "{} has a title twice", item.id());
                assert!(item.price().is_some_and(|price| price.currency() == "CNY"));
            }
            for interest in shop.interests() {
                assert_eq!(interest.text(&language).language, language);
            }
        }
        for (item, affinities) in shop.catalog().items().iter().zip(shop.affinities()) {
            let own = affinities.iter().filter(|&&affinity| affinity == 1.0).count();
            assert_eq!(own, 1, "{} serves one interest above all", item.id());
        }
        for interest in 0..10 {
            let items = shop.affinities().iter().filter(|a| a[interest] == 1.0).count();
            assert!(items >= 12, "{}: {items}", shop.interests()[interest].id);
        }
        for id in ["1001", "1002", "1003", "1004", "1005"] {
            assert!(shop.catalog().index(id).is_ok());
        }
    }
}
