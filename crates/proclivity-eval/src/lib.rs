//! Metrics, protocols and hyper-parameter search for recommenders that state probabilities.
