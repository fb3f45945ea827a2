//! The loop over epochs and steps.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use burn::module::Module;

use super::checkpoint::{self, Models, Position};
use super::optimizer::{AdamWOverModule, average};
use super::{BatchGradients, EpochReport, OptimizerConfig, TrainProgress};
use crate::EncoderError;

/// What is trained: batches, their loss, and how the result is judged.
pub(crate) trait Task<M: Module> {
    /// What one gradient is computed on.
    type Batch;

    /// Passes at most.
    fn epochs(&self) -> usize;

    /// The batches of an epoch, counted from 0: the same whenever they are asked for.
    fn batches(&self, epoch: usize) -> Vec<Self::Batch>;

    /// The gradients of a batch, with the seed of all that is random about them.
    fn gradients(
        &self,
        model: &M,
        batch: &Self::Batch,
        seed: u64,
    ) -> Result<BatchGradients, EncoderError>;

    /// Judges a model after an epoch.
    fn validate(&self, model: &M) -> Result<Validation, EncoderError>;
}

/// What validation finds.
pub(crate) struct Validation {
    /// In nats per target.
    pub(crate) loss: f64,
    /// What the best epoch has most of.
    pub(crate) score: f64,
    /// Further metrics by name, the same each time.
    pub(crate) metrics: BTreeMap<String, f64>,
}

impl Validation {
    /// Where the loss alone decides.
    pub(crate) fn of_loss(loss: f64) -> Self {
        Self { loss, score: -loss, metrics: BTreeMap::new() }
    }
}

/// How a task is run.
pub(crate) struct Run<'a> {
    pub(crate) optimizer: &'a OptimizerConfig,
    /// Where the checkpoint and the log are kept, if they are.
    pub(crate) directory: Option<&'a Path>,
    /// A hash of settings, data and initial weights: a checkpoint of another run is refused.
    pub(crate) fingerprint: String,
}

/// Trains a model on the task, or goes on where a checkpoint in the run's directory ends; returns
/// the best epoch's weights and what each epoch did.
///
/// # Errors
/// What the task returns, a loss that is not finite, and a directory that can't be written or
/// holds a damaged checkpoint or another run's.
pub(crate) fn fit<M: Module, T: Task<M>>(
    model: M,
    task: &T,
    run: &Run<'_>,
    progress: &mut dyn FnMut(TrainProgress<'_>),
) -> Result<(M, Vec<EpochReport>), EncoderError> {
    let config = run.optimizer;
    config.validate()?;
    let of_epoch = |epoch| task.batches(epoch).len().div_ceil(config.accumulation);
    let steps = (0..task.epochs()).map(of_epoch).sum();
    let mut optimizer = AdamWOverModule::new(config);
    let average = (config.averaging > 0.0).then(|| model.clone());
    let mut models = Models { model, average, best: None };
    let mut position = Position::default();
    if let Some(directory) = run.directory
        && let Some(found) =
            checkpoint::resume(directory, &run.fingerprint, &mut models, &mut optimizer)?
    {
        position = found;
        progress(TrainProgress::Resumed { step: position.step, steps });
    }
    let mut fitting = Fitting {
        task,
        run,
        steps,
        begun: (Instant::now(), position.step),
        optimizer,
        models,
        position,
    };
    while fitting.wants_another_epoch() {
        fitting.epoch(progress)?;
    }
    let Fitting { models, position, .. } = fitting;
    let best = models.best.ok_or(EncoderError::Diverged { step: position.step })?;
    Ok((best, position.epochs))
}

/// The epoch with the highest score, the last of several: without validation, where all have the
/// same, the last one.
pub(crate) fn best_epoch(epochs: &[EpochReport]) -> Option<&EpochReport> {
    epochs.iter().reduce(|best, epoch| if epoch.score >= best.score { epoch } else { best })
}

struct Fitting<'a, M, T> {
    task: &'a T,
    run: &'a Run<'a>,
    /// Of all epochs.
    steps: usize,
    /// When this process began, and behind which step.
    begun: (Instant, usize),
    optimizer: AdamWOverModule,
    models: Models<M>,
    position: Position,
}

impl<M: Module, T: Task<M>> Fitting<'_, M, T> {
    fn wants_another_epoch(&self) -> bool {
        let done = self.position.epochs.len();
        let best = best_epoch(&self.position.epochs).map_or(done, |best| best.epoch);
        done < self.task.epochs() && done - best < self.run.optimizer.patience
    }

    fn epoch(&mut self, progress: &mut dyn FnMut(TrainProgress<'_>)) -> Result<(), EncoderError> {
        let config = self.run.optimizer;
        let begun = Instant::now();
        let batches = self.task.batches(self.position.epochs.len());
        let accumulated = batches.chunks(config.accumulation);
        for batches in accumulated.skip(self.position.steps_of_epoch) {
            let loss = self.step(batches)?;
            let (start, first) = self.begun;
            let step = self.position.step;
            let pace = start.elapsed().as_secs_f64() / (step - first) as f64;
            let seconds_left = pace * (self.steps - step) as f64;
            progress(TrainProgress::Step { step, steps: self.steps, loss, seconds_left });
            if self.position.steps_of_epoch.is_multiple_of(config.checkpoint_steps) {
                let seconds = self.position.seconds + begun.elapsed().as_secs_f64();
                self.save(Position { seconds, ..self.position.clone() })?;
            }
        }
        let judged = self.models.average.as_ref().unwrap_or(&self.models.model);
        let Validation { loss, score, metrics } = self.task.validate(judged)?;
        if !(loss.is_finite() && score.is_finite()) {
            return Err(EncoderError::Diverged { step: self.position.step });
        }
        if best_epoch(&self.position.epochs).is_none_or(|best| score >= best.score) {
            self.models.best = Some(judged.clone());
        }
        let done = EpochReport {
            epoch: self.position.epochs.len() + 1,
            train_loss: self.position.loss_sum / self.position.targets as f64,
            validation_loss: loss,
            score,
            metrics,
            targets: self.position.targets,
            learning_rate: config.learning_rate(self.position.step.saturating_sub(1), self.steps),
            seconds: self.position.seconds + begun.elapsed().as_secs_f64(),
        };
        progress(TrainProgress::Epoch(&done));
        let Position { step, mut epochs, .. } = std::mem::take(&mut self.position);
        epochs.push(done);
        self.position = Position { step, epochs, ..Position::default() };
        self.save(self.position.clone())?;
        match self.run.directory {
            Some(directory) => checkpoint::write_log(directory, &self.position.epochs),
            None => Ok(()),
        }
    }

    /// One step down the gradient of some batches, and their mean loss before it.
    fn step(&mut self, batches: &[T::Batch]) -> Result<f64, EncoderError> {
        let config = self.run.optimizer;
        let done = self.position.step;
        let mut sum: Option<BatchGradients> = None;
        for (place, batch) in batches.iter().enumerate() {
            let seed = (done * config.accumulation + place) as u64;
            let seed = config.seed.wrapping_add(seed);
            let gradients = self.task.gradients(&self.models.model, batch, seed)?;
            let parts = sum.into_iter().chain([gradients]).collect();
            sum = Some(BatchGradients::sum(parts, &self.models.model));
        }
        let Some(gradients) = sum else { return Ok(0.0) };
        let (loss_sum, targets) = (gradients.loss_sum, gradients.targets);
        if !loss_sum.is_finite() {
            return Err(EncoderError::Diverged { step: done + 1 });
        }
        let clipped = gradients.clip(&self.models.model, config.gradient_norm);
        let rate = config.learning_rate(done, self.steps);
        let model = self.models.model.clone();
        self.models.model = self.optimizer.step(model, clipped, rate, done);
        if let Some(averaged) = self.models.average.take() {
            let decay = config.averaging.min((1.0 + done as f64) / (10.0 + done as f64));
            let trained = &self.optimizer.moments_1;
            self.models.average = Some(average(averaged, &self.models.model, trained, decay));
        }
        self.position.step += 1;
        self.position.steps_of_epoch += 1;
        self.position.loss_sum += loss_sum;
        self.position.targets += targets;
        Ok(loss_sum / targets as f64)
    }

    fn save(&self, position: Position) -> Result<(), EncoderError> {
        let Some(directory) = self.run.directory else { return Ok(()) };
        let fingerprint = &self.run.fingerprint;
        checkpoint::save(directory, fingerprint, &position, &self.models, &self.optimizer)
    }
}
