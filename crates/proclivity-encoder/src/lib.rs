//! Language models on burn: embed, score, generate and train, on swappable CPU and GPU backends.
