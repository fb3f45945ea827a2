//! Top-k recommendation, filters and explanations from a posterior predictive.
