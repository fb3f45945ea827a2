//! Training as everything here is trained: what a model, its batches and its loss have to bring,
//! and the loop around them, which goes on where it was killed.

mod checkpoint;
mod config;
mod dropout;
mod fit;
mod gradients;
mod optimizer;
mod report;
#[cfg(test)]
mod tests;

pub use config::{OptimizerConfig, Schedule};
pub(crate) use config::{real, whole};
pub(crate) use dropout::Dropout;
pub(crate) use fit::{Run, Task, Validation, best_epoch, fit};
pub(crate) use gradients::{BatchGradients, in_shards};
pub use report::{EpochReport, TrainProgress};
