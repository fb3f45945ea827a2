//! Keys and values of the tokens that a sequence has read.

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::vectorized::Span;

/// One sequence's keys and values, behind those of a prefix that others may share.
pub(super) struct Cache {
    prefix: Option<Arc<Cache>>,
    layers: Vec<Layer>,
    /// Tokens behind the prefix.
    own: usize,
}

pub(super) enum Layer {
    /// Of each key-value head `[tokens, head_width]`, which grows in place.
    Host { keys: Vec<Vec<f32>>, values: Vec<Vec<f32>> },
    /// `[key_value_heads, tokens, head_width]`, the prefix included.
    Device(Option<Box<(Tensor<3>, Tensor<3>)>>),
}

impl Cache {
    /// With room for some tokens on the host.
    pub(super) fn on_host(layers: usize, heads: usize, head_width: usize, tokens: usize) -> Self {
        let room = || (0..heads).map(|_| Vec::with_capacity(tokens * head_width)).collect();
        let layers = (0..layers).map(|_| Layer::Host { keys: room(), values: room() }).collect();
        Self { prefix: None, layers, own: 0 }
    }

    pub(super) fn on_device(layers: usize) -> Self {
        Self { prefix: None, layers: (0..layers).map(|_| Layer::Device(None)).collect(), own: 0 }
    }

    /// An empty sequence behind this one.
    pub(super) fn behind(prefix: &Arc<Self>) -> Self {
        let layers = prefix.layers.iter().map(|layer| match layer {
            Layer::Host { keys, values } => Layer::Host {
                keys: vec![Vec::new(); keys.len()],
                values: vec![Vec::new(); values.len()],
            },
            Layer::Device(tensors) => Layer::Device(tensors.clone()),
        });
        Self { layers: layers.collect(), prefix: Some(Arc::clone(prefix)), own: 0 }
    }

    /// Tokens read, those of the prefix included.
    pub(super) fn len(&self) -> usize {
        self.own + self.prefix.as_ref().map_or(0, |prefix| prefix.len())
    }

    /// To be called when all layers have the keys and values of new tokens.
    pub(super) fn advance(&mut self, tokens: usize) {
        self.own += tokens;
    }

    pub(super) fn layer_mut(&mut self, layer: usize) -> &mut Layer {
        &mut self.layers[layer]
    }

    /// What lies in the host's memory of one layer and head, in the order of the tokens.
    pub(super) fn spans(&self, layer: usize, head: usize) -> Vec<Span<'_>> {
        let mut spans = self.prefix.as_ref().map_or_else(Vec::new, |it| it.spans(layer, head));
        if let Layer::Host { keys, values } = &self.layers[layer] {
            spans.push(Span { keys: &keys[head], values: &values[head] });
        }
        spans
    }
}
