//! Work in steps, each cut into parts that threads take as they come.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One step. It hands over far faster than sleeping threads can be woken, and nobody waits for a
/// thread that may not come: only for parts that others have begun.
pub(crate) struct Step {
    next: AtomicUsize,
    parts: Vec<OnceLock<Vec<f32>>>,
}

impl Step {
    pub(crate) fn new(parts: usize) -> Self {
        Self { next: AtomicUsize::new(0), parts: vec![OnceLock::new(); parts] }
    }

    /// Computes parts until all are begun, and waits for those that other threads have begun.
    pub(crate) fn run(&self, compute: impl Fn(usize) -> Vec<f32>) -> Vec<&[f32]> {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = self.parts.get(index) else { break };
            let part = Begun(part);
            // Nobody else sets it.
            let _ = part.0.set(compute(index));
        }
        self.parts.iter().map(|part| finished(part).as_slice()).collect()
    }

    /// Whether there is nothing left to begin.
    pub(crate) fn is_begun(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.parts.len()
    }
}

fn finished(part: &OnceLock<Vec<f32>>) -> &Vec<f32> {
    const SPINS: usize = 200;
    let mut spins = 0;
    loop {
        if let Some(values) = part.get() {
            return values;
        }
        // Whoever computes it may be waiting for this very core.
        if spins < SPINS {
            std::hint::spin_loop()
        } else {
            std::thread::yield_now()
        }
        spins += 1;
    }
}

/// Ends the wait of others when computing a part panics.
struct Begun<'a>(&'a OnceLock<Vec<f32>>);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.set(Vec::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn every_part_is_computed_once_whoever_comes() {
        for (parts, threads) in [(0, 2), (1, 4), (7, 1), (100, 3)] {
            let (step, computed) = (Step::new(parts), AtomicUsize::new(0));
            let part = |index: usize| {
                computed.fetch_add(1, Ordering::Relaxed);
                vec![index as f32; index]
            };
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        let got = step.run(part);
                        assert!(got.len() == parts && step.is_begun());
                        for (index, got) in got.into_iter().enumerate() {
                            assert_eq!(got, vec![index as f32; index]);
                        }
                    });
                }
            });
            assert_eq!(computed.into_inner(), parts);
        }
    }

    #[test]
    fn nobody_waits_for_a_part_that_panicked() {
        let step = Step::new(2);
        let damaged = |index| if index == 0 { panic!("on purpose") } else { vec![1.0] };
        assert!(catch_unwind(AssertUnwindSafe(|| step.run(damaged).len())).is_err());
        assert_eq!(step.run(damaged), [&[][..], &[1.0]]);
    }
}
