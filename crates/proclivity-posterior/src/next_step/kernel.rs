//! Which items are close: a sparse, row-normalised kernel over embeddings or another similarity.

use std::collections::BTreeMap;

use ndarray::{ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::PosteriorError;
use crate::error::{finite, in_range, known_items, same_length};

/// For each item its nearest other items, with weights that sum to one; an item that is close to no
/// other has none.
///
/// # Formula
/// K(i, j) ∝ exp(temperature · sim(i, j)) for the `neighbors` nearest j ≠ i, else 0; of embeddings,
/// sim(i, j) = cos(eᵢ, eⱼ)
///
/// Items as near as the last of the `neighbors` are neighbours, too, unless there are so many that
/// they would double the row: then none of them is. What is near doesn't depend on the items' order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Kernel {
    offsets: Vec<usize>,
    items: Vec<u32>,
    weights: Vec<f32>,
}

impl Kernel {
    /// The kernel of unit-length embeddings.
    ///
    /// Neighbours are found exactly, by blocks of the cosine matrix, in parallel.
    ///
    /// # Shapes
    /// `embeddings`: `[items, dim]`
    ///
    /// # Errors
    /// [`PosteriorError::NotFinite`] for a NaN or infinity, [`PosteriorError::OutOfRange`] for
    /// zero neighbours or a negative temperature.
    pub fn nearest(
        embeddings: ArrayView2<'_, f32>,
        neighbors: usize,
        temperature: f64,
    ) -> Result<Self, PosteriorError> {
        const BLOCK: usize = 256;
        validate(neighbors, temperature)?;
        finite("embeddings", embeddings)?;
        let items = embeddings.nrows();
        let blocks: Vec<usize> = (0..items).step_by(BLOCK).collect();
        let rows: Vec<Vec<(u32, f32)>> = blocks
            .into_par_iter()
            .flat_map_iter(|start| {
                let end = (start + BLOCK).min(items);
                let cosines = embeddings.slice(s![start..end, ..]).dot(&embeddings.t());
                let rows = cosines.axis_iter(Axis(0)).enumerate();
                rows.map(|(row, cosines)| {
                    let others = (0_u32..).zip(cosines.iter().copied());
                    nearest(others, (start + row) as u32, neighbors, temperature)
                })
                .collect::<Vec<_>>()
            })
            .collect();
        Ok(Self::collect(rows))
    }

    /// The kernel of another similarity than that of embeddings: `similar` gives the items that an
    /// item has anything to do with, in order of index, and how similar they are, where embeddings
    /// have the cosine. An item's similarity to itself isn't looked at.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for zero neighbours, a negative temperature, a similarity that
    /// isn't finite and items out of order, [`PosteriorError::UnknownItem`] for one from `items` on.
    pub fn from_similarity(
        items: usize,
        neighbors: usize,
        temperature: f64,
        similar: impl Fn(u32) -> Vec<(u32, f32)> + Sync,
    ) -> Result<Self, PosteriorError> {
        validate(neighbors, temperature)?;
        let row = |item| {
            let others = similar(item);
            let (near, similarities): (Vec<u32>, Vec<f32>) = others.iter().copied().unzip();
            known_items(&near, items)?;
            let ordered = near.windows(2).all(|pair| pair[0] < pair[1]);
            in_range("items similar to an item", f64::from(item), ordered, "in order, each once")?;
            for similarity in similarities.into_iter().map(f64::from) {
                in_range("similarity", similarity, similarity.is_finite(), "a finite number")?;
            }
            Ok(nearest(others.into_iter(), item, neighbors, temperature))
        };
        let rows: Vec<_> = (0..items as u32).into_par_iter().map(row).collect();
        Ok(Self::collect(rows.into_iter().collect::<Result<_, PosteriorError>>()?))
    }

    /// The mean of this kernel and another of the same items, such as that of another view of their
    /// texts. Where an item has neighbours in one of the two alone, these count whole.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for another number of items.
    pub fn mean(&self, other: &Self) -> Result<Self, PosteriorError> {
        same_length("items of the kernel", self.item_count(), other.item_count())?;
        let row = |item| {
            let mut weights = BTreeMap::new();
            for (near, weight) in self.row(item).chain(other.row(item)) {
                *weights.entry(near).or_insert(0.0) += weight;
            }
            weights.into_iter().collect()
        };
        Self::from_rows((0..self.item_count() as u32).map(row).collect())
    }

    /// The kernel of given rows: for each item its nearest other items in order of index, with
    /// weights that are normalised. Where neighbours come from an index of one's own, such as an
    /// approximate one of a large catalog.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] outside of the rows, [`PosteriorError::OutOfRange`] for items
    /// out of order, an item among its own neighbours, and weights that are not finite, negative or
    /// all zero.
    pub fn from_rows(mut rows: Vec<Vec<(u32, f32)>>) -> Result<Self, PosteriorError> {
        for (_, weight) in rows.iter().flatten() {
            let valid = *weight >= 0.0 && weight.is_finite();
            in_range("weight of a neighbor", f64::from(*weight), valid, "a finite number from 0")?;
        }
        for row in rows.iter_mut().filter(|row| !row.is_empty()) {
            let total: f64 = row.iter().map(|&(_, weight)| f64::from(weight)).sum();
            in_range("weights of neighbors", total, total > 0.0, "not all zero")?;
            row.iter_mut().for_each(|(_, weight)| *weight = (f64::from(*weight) / total) as f32);
        }
        let kernel = Self::collect(rows);
        kernel.validate()?;
        Ok(kernel)
    }

    fn collect(rows: Vec<Vec<(u32, f32)>>) -> Self {
        let mut kernel = Self { offsets: vec![0], items: Vec::new(), weights: Vec::new() };
        for row in rows {
            kernel.items.extend(row.iter().map(|&(item, _)| item));
            kernel.weights.extend(row.iter().map(|&(_, weight)| weight));
            kernel.offsets.push(kernel.items.len());
        }
        kernel
    }

    fn validate(&self) -> Result<(), PosteriorError> {
        let (first, last) = (self.offsets.first(), self.offsets.last());
        same_length("neighbors", self.items.len(), *last.unwrap_or(&usize::MAX))?;
        same_length("weights of neighbors", self.items.len(), self.weights.len())?;
        let monotone = first == Some(&0) && self.offsets.is_sorted();
        let last = *last.unwrap_or(&0) as f64;
        in_range("offsets of a kernel", last, monotone, "from 0, none below its predecessor")?;
        for item in 0..self.item_count() {
            let range = self.offsets[item]..self.offsets[item + 1];
            let (items, weights) = (&self.items[range.clone()], &self.weights[range]);
            known_items(items, self.item_count())?;
            let ordered = items.windows(2).all(|pair| pair[0] < pair[1]);
            let others = items.iter().all(|&near| near as usize != item);
            let expected = "others, each once, in order of index";
            in_range("neighbors of an item", item as f64, ordered && others, expected)?;
            for &weight in weights {
                let valid = (0.0..=1.0).contains(&weight);
                in_range("weight of a neighbor", f64::from(weight), valid, "in [0, 1]")?;
            }
            let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
            let valid = items.is_empty() || (total - 1.0).abs() < 1e-3;
            in_range("weights of neighbors", total, valid, "a sum of 1")?;
        }
        Ok(())
    }

    /// All that the kernel consists of, for a fingerprint.
    pub(super) fn numbers(&self) -> impl Iterator<Item = f64> + '_ {
        let offsets = self.offsets.iter().map(|&offset| offset as f64);
        offsets
            .chain(self.items.iter().map(|&item| f64::from(item)))
            .chain(self.weights.iter().map(|&weight| f64::from(weight)))
    }

    /// How many items there are.
    pub fn item_count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The nearest items of one item, with their weights, in order of index.
    ///
    /// # Panics
    /// When there is no such item.
    pub fn row(&self, item: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        let range = self.offsets[item as usize]..self.offsets[item as usize + 1];
        self.items[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }
}

/// What is read, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename = "Kernel")]
struct Saved {
    offsets: Vec<usize>,
    items: Vec<u32>,
    weights: Vec<f32>,
}

impl TryFrom<Saved> for Kernel {
    type Error = PosteriorError;
    fn try_from(saved: Saved) -> Result<Self, PosteriorError> {
        let Saved { offsets, items, weights } = saved;
        let kernel = Self { offsets, items, weights };
        kernel.validate()?;
        Ok(kernel)
    }
}

/// The items nearest to a vector that is no item's, with weights as those of a [`Kernel`]'s row, in
/// order of index.
///
/// # Shapes
/// `vector`: `[dim]`, `embeddings`: `[items, dim]`
///
/// # Errors
/// As for [`Kernel::nearest`], and [`PosteriorError::Length`] when dimensions differ.
pub fn nearest_items(
    vector: ArrayView1<'_, f32>,
    embeddings: ArrayView2<'_, f32>,
    neighbors: usize,
    temperature: f64,
) -> Result<Vec<(u32, f32)>, PosteriorError> {
    validate(neighbors, temperature)?;
    same_length("components of the vector", embeddings.ncols(), vector.len())?;
    finite("vector", vector.insert_axis(Axis(0)))?;
    finite("embeddings", embeddings)?;
    let cosines = embeddings.dot(&vector);
    Ok(nearest((0..).zip(cosines.iter().copied()), u32::MAX, neighbors, temperature))
}

fn validate(neighbors: usize, temperature: f64) -> Result<(), PosteriorError> {
    in_range("neighbors", neighbors as f64, neighbors > 0, "a number from 1")?;
    let valid = temperature >= 0.0 && temperature.is_finite();
    in_range("temperature", temperature, valid, "a finite number from 0")
}

fn nearest(
    similar: impl Iterator<Item = (u32, f32)>,
    itself: u32,
    neighbors: usize,
    temperature: f64,
) -> Vec<(u32, f32)> {
    let mut others: Vec<(u32, f32)> = similar.filter(|&(item, _)| item != itself).collect();
    if others.len() > neighbors {
        let (_, &mut (_, last), _) =
            others.select_nth_unstable_by(neighbors - 1, |a, b| b.1.total_cmp(&a.1));
        let as_near = others.iter().filter(|&&(_, similarity)| similarity >= last).count();
        let with_last = as_near < 2 * neighbors;
        others.retain(|&(_, similarity)| similarity > last || with_last && similarity == last);
    }
    others.sort_unstable_by_key(|&(item, _)| item);
    let max = others.iter().map(|&(_, cosine)| cosine).fold(f32::NEG_INFINITY, f32::max);
    let weight = |cosine: f32| (temperature * f64::from(cosine - max)).exp();
    let total: f64 = others.iter().map(|&(_, cosine)| weight(cosine)).sum();
    others.iter().map(|&(item, cosine)| (item, (weight(cosine) / total) as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rows_are_the_softmax_over_the_nearest_others() {
        let embeddings = array![[1.0_f32, 0.0], [0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]];
        let kernel = Kernel::nearest(embeddings.view(), 2, 3.0).unwrap();
        let row: Vec<_> = kernel.row(0).collect();
        let expected = 1.0 / (1.0 + (-3.0_f64 * 0.6).exp());
        assert_eq!(row.iter().map(|r| r.0).collect::<Vec<_>>(), [1, 2]);
        assert!((f64::from(row[0].1) - expected).abs() < 1e-6);
    }

    #[test]
    fn cosines_that_are_given_make_the_same_kernel() {
        let embeddings = array![[1.0_f32, 0.0], [0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]];
        let cosines = embeddings.dot(&embeddings.t());
        let of = |item: u32| (0..).zip(cosines.row(item as usize).to_vec()).collect();
        let given = Kernel::from_similarity(4, 2, 3.0, of).unwrap();
        assert_eq!(given, Kernel::nearest(embeddings.view(), 2, 3.0).unwrap());
        let of = |item: u32| if item == 0 { vec![(4, 1.0)] } else { vec![] };
        let error = Kernel::from_similarity(4, 2, 3.0, of).unwrap_err();
        assert!(matches!(error, PosteriorError::UnknownItem { item: 4, .. }), "{error}");
        let error = Kernel::from_similarity(4, 2, 3.0, |_| vec![(0, f32::NAN)]).unwrap_err();
        assert!(error.to_string().contains("similarity"), "{error}");
        let twice = |_| vec![(1, 1.0), (1, 0.5)];
        let error = Kernel::from_similarity(4, 1, 3.0, twice).unwrap_err();
        assert!(error.to_string().contains("in order"), "{error}");
    }

    #[test]
    fn who_is_near_does_not_depend_on_the_order_where_similarities_are_equal() {
        let near = |similarities: [f32; 5], neighbors| {
            let of = |item: u32| match item {
                0 => (1..).zip(similarities).collect(),
                _ => Vec::new(),
            };
            let kernel = Kernel::from_similarity(6, neighbors, 1.0, of).unwrap();
            kernel.row(0).map(|(item, _)| item).collect::<Vec<_>>()
        };
        assert_eq!(near([0.5, 0.9, 0.5, 0.1, 0.2], 2), [1, 2, 3]);
        assert_eq!(near([0.1, 0.5, 0.2, 0.5, 0.9], 2), [2, 4, 5]);
        assert_eq!(near([0.5, 0.9, 0.5, 0.5, 0.1], 2), [2]);
        assert!(near([0.5; 5], 2).is_empty());
    }

    #[test]
    fn a_mean_of_kernels_halves_what_either_says_alone() {
        let rows = |rows: &[&[(u32, f32)]]| {
            Kernel::from_rows(rows.iter().map(|row| row.to_vec()).collect()).unwrap()
        };
        let one = rows(&[&[(1, 0.5), (2, 0.5)], &[(0, 1.0)], &[]]);
        let other = rows(&[&[(2, 1.0)], &[], &[]]);
        let mean = rows(&[&[(1, 0.25), (2, 0.75)], &[(0, 1.0)], &[]]);
        assert_eq!(one.mean(&other).unwrap(), mean);
        assert!(one.mean(&rows(&[&[]])).is_err());
    }

    #[test]
    fn a_catalog_of_one_item_has_an_empty_row() {
        let kernel = Kernel::nearest(array![[1.0_f32]].view(), 5, 1.0).unwrap();
        assert_eq!(kernel.row(0).count(), 0);
    }
}
