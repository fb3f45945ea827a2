//! Interests as a probability distribution, read by a language model, and recommendation with it.
