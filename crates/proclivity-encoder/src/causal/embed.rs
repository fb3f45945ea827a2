//! Embeddings: what a text is made of beside what the model makes of it.

use std::collections::BTreeSet;

use ndarray::Array2;
use rayon::prelude::*;

use super::CausalModel;
use super::batch::Batch;
use super::network::host;
use super::tokens::BEGIN;
use crate::{EncoderError, TextEncoder};

/// Tokens of the rows that are computed at once.
const TOKENS_PER_BATCH: usize = 4096;
/// Pieces of training texts that the means are taken over.
const CENTERING_PIECES: usize = 512;

impl CausalModel {
    /// Takes the common component, which is subtracted from every embedding, from these texts:
    /// those that are to be told apart. Training takes it from pieces of the training texts.
    ///
    /// The fingerprint changes with it. Without texts it stays as it is.
    ///
    /// # Errors
    /// When a text can't be tokenized.
    pub fn center_on(&mut self, texts: &[&str]) -> Result<(), EncoderError> {
        if texts.is_empty() {
            return Ok(());
        }
        let width = self.config.width;
        let mut means = vec![0.0; 2 * width];
        for halves in self.raw_embeddings(texts, &mut |_| {})? {
            for (mean, value) in means.iter_mut().zip(halves) {
                *mean += value / texts.len() as f32;
            }
        }
        self.means = means;
        self.fingerprint = self.compute_fingerprint()?;
        Ok(())
    }

    /// The smooth-inverse-frequency weighted means of token embeddings and of hidden states, one
    /// behind the other, not centred.
    fn raw_embeddings(
        &self,
        texts: &[&str],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<f32>>, EncoderError> {
        let mut embeddings = Vec::with_capacity(texts.len());
        for texts in texts.chunks(1024) {
            let mut tokens = self.tokenizer.encode(texts).map_err(|error| match error {
                EncoderError::Tokenize { index, source } => {
                    EncoderError::Tokenize { index: index + embeddings.len(), source }
                }
                error => error,
            })?;
            for tokens in &mut tokens {
                tokens.insert(0, BEGIN);
                tokens.truncate(self.config.context);
            }
            embeddings.extend(self.embed_tokens(&tokens));
            progress(embeddings.len());
        }
        Ok(embeddings)
    }

    fn embed_tokens(&self, texts: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
        let length = longest.max(64);
        let rows: Vec<Vec<&[u32]>> = texts.iter().fold(Vec::new(), |mut rows, text| {
            let used = |row: &Vec<&[u32]>| row.iter().map(|text| text.len()).sum::<usize>();
            match rows.last_mut() {
                Some(row) if used(row) + text.len() <= length => row.push(text),
                _ => rows.push(vec![text]),
            }
            rows
        });
        let batches: Vec<_> = rows
            .chunks((TOKENS_PER_BATCH / length).max(1))
            .map(|rows| (self.network.clone(), rows))
            .collect();
        let parts: Vec<Vec<Vec<f32>>> = batches
            .into_par_iter()
            .map(|(network, rows)| {
                let mut batch = Batch::new(length);
                let mut places = Vec::new();
                for row in rows {
                    batch.start_row(&[]);
                    places.extend(row.iter().map(|text| (batch.push_segment(text), *text)));
                }
                batch.finish();
                let hidden = host(network.forward(&batch, None));
                let mean = |(first, text)| self.weighted_means(text, first, &hidden);
                places.into_iter().map(mean).collect()
            })
            .collect();
        parts.into_iter().flatten().collect()
    }

    /// Both halves for a text whose hidden states begin at the place `first`.
    fn weighted_means(&self, text: &[u32], first: usize, hidden: &[f32]) -> Vec<f32> {
        let width = self.config.width;
        let mut means = vec![0.0; 2 * width];
        let mut total = 0.0;
        // The begin token says nothing, unless there is nothing else.
        let skipped = usize::from(text.len() > 1);
        for (place, &token) in text.iter().enumerate().skip(skipped) {
            let token = token as usize;
            let weight = self.config.smoothing / (self.config.smoothing + self.unigram[token]);
            total += weight;
            let lexical = &self.table[token * width..][..width];
            let contextual = &hidden[(first + place) * width..][..width];
            for (mean, value) in means.iter_mut().zip(lexical.iter().chain(contextual)) {
                *mean += weight as f32 * value;
            }
        }
        means.iter_mut().for_each(|mean| *mean /= total as f32);
        means
    }
}

/// Distinct pieces of the first texts between quotes and sentence marks, to take the means from.
pub(super) fn pieces(texts: &[String]) -> Vec<&str> {
    let marks = |mark: char| "\"“”「」『』《》.。!！?？;；\n".contains(mark);
    let mut seen = BTreeSet::new();
    texts
        .iter()
        .flat_map(|text| text.split(marks))
        .map(str::trim)
        .filter(|piece| piece.chars().count() > 1 && seen.insert(*piece))
        .take(CENTERING_PIECES)
        .collect()
}

impl TextEncoder for CausalModel {
    fn embedding_dim(&self) -> usize {
        2 * self.config.width
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn embed(
        &self,
        texts: &[&str],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Array2<f32>, EncoderError> {
        let width = self.config.width;
        let mut embeddings = Array2::zeros((texts.len(), 2 * width));
        let raw = self.raw_embeddings(texts, progress)?;
        for (mut row, halves) in embeddings.rows_mut().into_iter().zip(raw) {
            let centred = halves.iter().zip(&self.means).map(|(value, mean)| value - mean);
            for (place, value) in row.iter_mut().zip(centred) {
                *place = value;
            }
            let (mut lexical, mut contextual) = row.view_mut().split_at(ndarray::Axis(0), width);
            for half in [&mut lexical, &mut contextual] {
                let norm = half.dot(half).sqrt();
                if norm > 1e-12 {
                    half.mapv_inplace(|value| value / norm);
                } else {
                    // Exactly the mean: any direction will do.
                    half[0] = 1.0;
                }
            }
            row.mapv_inplace(|value| value * std::f32::consts::FRAC_1_SQRT_2);
        }
        Ok(embeddings)
    }
}
