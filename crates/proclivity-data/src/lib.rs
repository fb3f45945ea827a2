//! Reading, cleaning, splitting and simulating behaviour logs for proclivity.
