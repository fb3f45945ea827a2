//! What the examples share: progress bars and charts.
