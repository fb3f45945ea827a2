//! AdamW over a module's parameters, and the average of weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{
    AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, Optimizer as _,
};
use burn::tensor::Tensor;

use super::OptimizerConfig;

/// burn's AdamW, with its state in maps from parameters to tensors that a checkpoint can hold by
/// path: burn's own record is loaded onto the default device, which there may not be.
pub(super) struct AdamWOverModule {
    rule: AdamW,
    pub(super) moments_1: GradientsParams,
    pub(super) moments_2: GradientsParams,
}

impl AdamWOverModule {
    pub(super) fn new(config: &OptimizerConfig) -> Self {
        let rule = AdamWConfig::new()
            .with_beta_1(config.beta_1 as f32)
            .with_beta_2(config.beta_2 as f32)
            .with_epsilon(config.epsilon as f32)
            .with_weight_decay(config.weight_decay as f32)
            .build();
        Self { rule, moments_1: GradientsParams::new(), moments_2: GradientsParams::new() }
    }

    /// Takes the step that follows `done` steps.
    pub(super) fn step<M: Module>(
        &mut self,
        model: M,
        gradients: GradientsParams,
        learning_rate: f64,
        done: usize,
    ) -> M {
        model.map(&mut Step { optimizer: self, gradients, learning_rate, done })
    }
}

struct Step<'a> {
    optimizer: &'a mut AdamWOverModule,
    gradients: GradientsParams,
    learning_rate: f64,
    done: usize,
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        let Some(gradient) = self.gradients.remove::<D>(id) else { return param };
        let AdamWOverModule { rule, moments_1, moments_2 } = &mut *self.optimizer;
        let moments = moments_1.remove::<D>(id).zip(moments_2.remove::<D>(id));
        let state = moments.map(|(moment_1, moment_2)| AdamWState {
            momentum: AdaptiveMomentumState {
                time: self.done,
                moment_1,
                moment_2,
                max_moment_2: None,
            },
        });
        let rate = self.learning_rate;
        param.map(|value| {
            let (value, state) = rule.step(rate, value, gradient, state);
            if let Some(AdamWState { momentum }) = state {
                moments_1.register(id, momentum.moment_1);
                moments_2.register(id, momentum.moment_2);
            }
            value
        })
    }
}

/// The average moved towards the model: decay · average + (1 − decay) · model, where the model is
/// trained, which is where `trained` has a tensor.
pub(super) fn average<M: Module>(
    average: M,
    model: &M,
    trained: &GradientsParams,
    decay: f64,
) -> M {
    struct Values<'a> {
        trained: &'a GradientsParams,
        values: GradientsParams,
    }
    impl ModuleVisitor for Values<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.trained.get::<D>(param.id).is_some() {
                self.values.register(param.id, param.base());
            }
        }
    }
    struct Move {
        towards: GradientsParams,
        decay: f64,
    }
    impl ModuleMapper for Move {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(target) = self.towards.remove::<D>(param.id) else { return param };
            let decay = self.decay;
            param.map(|value| value.mul_scalar(decay) + target.mul_scalar(1.0 - decay))
        }
    }
    let mut values = Values { trained, values: GradientsParams::new() };
    model.visit(&mut values);
    average.map(&mut Move { towards: values.values, decay })
}
