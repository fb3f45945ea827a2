//! Tokenized documents, cut into pieces and packed into windows of one length.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::batch::Batch;
use super::tokens::{BEGIN, END};

/// Documents one behind the other, each between the begin and end tokens, and the pieces that
/// they are cut into.
///
/// A piece is at most as long as the context. A longer document goes on in the next piece, whose
/// first token is the last target of the one before: every token but the first is predicted once.
#[derive(Debug)]
pub(crate) struct Corpus {
    tokens: Vec<u32>,
    pieces: Vec<Piece>,
    context: usize,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    start: usize,
    len: usize,
}

/// A window: the pieces that share it, by position in the corpus.
pub(crate) type Window = Vec<usize>;

impl Corpus {
    pub(crate) fn new(documents: &[Vec<u32>], context: usize) -> Self {
        let mut tokens = Vec::new();
        let mut pieces = Vec::new();
        for document in documents.iter().filter(|document| !document.is_empty()) {
            let mut start = tokens.len();
            tokens.push(BEGIN);
            tokens.extend_from_slice(document);
            tokens.push(END);
            let last = tokens.len() - 1;
            while start < last {
                let len = context.min(last - start);
                pieces.push(Piece { start, len });
                start += len;
            }
        }
        Self { tokens, pieces, context }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Every token that is to be predicted.
    pub(crate) fn targets(&self) -> impl Iterator<Item = u32> {
        self.pieces
            .iter()
            .flat_map(|piece| &self.tokens[piece.start + 1..=piece.start + piece.len])
            .copied()
    }

    pub(crate) fn windows(&self) -> Vec<Window> {
        self.pack((0..self.pieces.len()).collect())
    }

    /// The windows of each epoch, at most so many tokens each: pieces come in a random order that
    /// goes on from one epoch to the next, so that all are seen before one is seen twice.
    pub(crate) fn epochs(
        &self,
        epochs: usize,
        tokens_per_epoch: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Vec<Window>> {
        let mut order: Vec<usize> = Vec::new();
        (0..epochs)
            .map(|_| {
                let mut chosen = Vec::new();
                let mut tokens = 0;
                while chosen.len() < self.pieces.len() && (tokens < tokens_per_epoch) {
                    if order.is_empty() {
                        order = (0..self.pieces.len()).collect();
                        order.shuffle(rng);
                    }
                    let Some(piece) = order.pop() else { break };
                    tokens += self.pieces[piece].len;
                    chosen.push(piece);
                }
                let mut windows = self.pack(chosen);
                windows.shuffle(rng);
                windows
            })
            .collect()
    }

    /// Best fit, longest pieces first.
    fn pack(&self, mut pieces: Vec<usize>) -> Vec<Window> {
        pieces.sort_by_key(|&piece| std::cmp::Reverse(self.pieces[piece].len));
        let mut windows: Vec<Window> = Vec::new();
        let mut by_room: Vec<Vec<usize>> = vec![Vec::new(); self.context + 1];
        for piece in pieces {
            let len = self.pieces[piece].len;
            let fitting = (len..=self.context).find_map(|room| Some((room, by_room[room].pop()?)));
            let (room, window) = fitting.unwrap_or_else(|| {
                windows.push(Vec::new());
                (self.context, windows.len() - 1)
            });
            windows[window].push(piece);
            by_room[room - len].push(window);
        }
        windows
    }

    /// The batch of some windows, with the targets of its positions.
    pub(crate) fn batch(&self, windows: &[Window]) -> (Batch, Targets) {
        let used = |window: &Window| window.iter().map(|&p| self.pieces[p].len).sum();
        let length = windows.iter().map(used).max().unwrap_or(0);
        let mut batch = Batch::new(length);
        let mut targets = Targets::default();
        for window in windows {
            batch.start_row(&[]);
            for &piece in window {
                let Piece { start, len } = self.pieces[piece];
                let first = batch.push_segment(&self.tokens[start..start + len]);
                for offset in 0..len {
                    targets.push(first + offset, self.tokens[start + offset + 1]);
                }
            }
        }
        batch.finish();
        (batch, targets)
    }
}

/// Which positions of a batch predict which token.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// Positions among all of the batch's tokens.
    pub(crate) positions: Vec<i32>,
    /// The token that follows each.
    pub(crate) tokens: Vec<u32>,
}

impl Targets {
    pub(crate) fn push(&mut self, position: usize, token: u32) {
        self.positions.push(position as i32);
        self.tokens.push(token);
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }
}

/// Smoothed token frequencies: (count + 1) / (total + vocabulary).
pub(crate) fn unigram(corpus: &Corpus, vocab_size: usize) -> Vec<f64> {
    let mut counts = vec![1.0; vocab_size];
    for token in corpus.targets() {
        counts[token as usize] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    counts.iter_mut().for_each(|count| *count /= total);
    counts
}
