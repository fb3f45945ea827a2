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
    /// Without those of the prefix.
    Device(Option<Box<Buffers>>),
}

/// Keys and values on a device, `[key_value_heads, room, head_width]` each; what is behind the tokens
/// that were read is 0.
pub(super) struct Buffers {
    pub(super) keys: Tensor<3>,
    pub(super) values: Tensor<3>,
}

impl Buffers {
    fn room(&self) -> usize {
        self.keys.dims()[1]
    }

    /// Puts those of more tokens behind the first `used` ones: in place while there is room.
    fn push(self, used: usize, new: Self) -> Self {
        let push = |buffer: Tensor<3>, new: Tensor<3>| {
            let ([heads, room, width], end) = (buffer.dims(), used + new.dims()[1]);
            let all = |tokens| [0..heads, tokens, 0..width];
            let buffer = if end > room {
                /// Room for so many more tokens keeps copies rare.
                const MORE: usize = 128;
                let larger = Tensor::zeros([heads, end + MORE, width], &buffer.device());
                larger.slice_assign(all(0..used), buffer.narrow(1, 0, used))
            } else {
                buffer
            };
            buffer.slice_assign(all(used..end), new)
        };
        Self { keys: push(self.keys, new.keys), values: push(self.values, new.values) }
    }
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
            Layer::Device(_) => Layer::Device(None),
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
    /// Adds the keys and values of new tokens to a layer on a device.
    pub(super) fn push(&mut self, layer: usize, new: Buffers) {
        let used = self.own;
        if let Layer::Device(buffers) = &mut self.layers[layer] {
            *buffers = Some(Box::new(match buffers.take() {
                Some(buffers) => buffers.push(used, new),
                None => new,
            }));
        }
    }

    /// What lies on a device of one layer, in the order of the tokens.
    pub(super) fn buffers(&self, layer: usize) -> Vec<&Buffers> {
        let mut buffers = self.prefix.as_ref().map_or_else(Vec::new, |it| it.buffers(layer));
        if let Layer::Device(Some(own)) = &self.layers[layer] {
            buffers.push(own);
        }
        buffers
    }

    /// For each buffer the tokens in it and its room, where the first layer has new tokens already.
    fn fill(&self, new: usize) -> Vec<(usize, usize)> {
        let mut fill = self.prefix.as_ref().map_or_else(Vec::new, |it| it.fill(0));
        if let Some(Layer::Device(Some(own))) = self.layers.first() {
            fill.push((self.own + new, own.room()));
        }
        fill
    }

    /// What is added to the scores of new tokens, the last ones in the buffers: nothing where a token
    /// looks, a large negative number where there is none or only a later one.
    ///
    /// # Shapes
    /// `[new, room of all buffers]`, row by row
    pub(super) fn bias(&self, new: usize) -> Vec<f32> {
        let fill = self.fill(new);
        let last = fill.len().saturating_sub(1);
        let mut bias = Vec::new();
        for later in (0..new).rev() {
            for (place, &(tokens, room)) in fill.iter().enumerate() {
                let seen = if place == last { tokens - later } else { tokens };
                bias.extend((0..room).map(|at| if at < seen { 0.0 } else { -1e30 }));
            }
        }
        bias
    }
}
