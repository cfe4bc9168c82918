//! Seeds and the random streams that grow from them.
//!
//! A result may depend on a seed, never on who drew first: every consumer derives a seed of its own by name
//! (`seed.derive("tree").index(17)`) and draws from its own stream, so that results do not depend on the number
//! of threads.
//!
//! **Stream version 1**: child seed = first 8 bytes (little endian) of SHA-256(parent as 8 bytes LE, tag byte, name or
//! index); stream = ChaCha8 keyed with the seed in the first 8 bytes of the key. Changing either changes every
//! stored study and model: it needs a bump of the semver of all kinds that draw.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A 64-bit seed; children are derived by name or index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(u64);

impl Seed {
    /// Wraps a number that a user wrote.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The number itself.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Derives the child seed called `name`.
    #[must_use]
    pub fn derive(self, name: &str) -> Self {
        self.child(b'n', name.as_bytes())
    }

    /// Derives the child seed number `index`.
    #[must_use]
    pub fn index(self, index: u64) -> Self {
        self.child(b'i', &index.to_le_bytes())
    }

    /// Opens the random stream of this seed.
    pub fn stream(self) -> RandomStream {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&self.0.to_le_bytes());
        RandomStream(ChaCha8Rng::from_seed(key))
    }

    fn child(self, tag: u8, label: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0.to_le_bytes());
        hash.update([tag]);
        hash.update(label);
        let bytes = hash.finalize();
        let mut first = [0_u8; 8];
        first.copy_from_slice(&bytes[..8]);
        Self(u64::from_le_bytes(first))
    }
}

/// A portable random stream: the same seed gives the same numbers on every platform.
#[derive(Clone, Debug)]
pub struct RandomStream(ChaCha8Rng);

impl RandomStream {
    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform number in `[0, 1)` with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A uniform whole number in `0..n`, without modulo bias (Lemire, 2019). `n` of 0 gives 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.bits()) * u128::from(n);
            if product as u64 >= threshold {
                return (product >> 64) as usize;
            }
        }
    }

    /// A standard normal number (Box and Muller, 1958; the cosine branch only, so that one call takes two draws).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    /// Shuffles a slice in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_indices_give_different_children() {
        let seed = Seed::new(42);
        let children = [seed.derive("a"), seed.derive("b"), seed.index(0), seed.index(1), seed.derive("a").index(0)];
        for (i, a) in children.iter().enumerate() {
            for b in &children[i + 1..] {
                assert_ne!(a, b);
            }
        }
        assert_eq!(seed.derive("a"), Seed::new(42).derive("a"));
    }

    #[test]
    fn below_is_even_and_in_range() {
        let mut stream = Seed::new(7).stream();
        let mut counts = [0_usize; 7];
        for _ in 0..70_000 {
            counts[stream.below(7)] += 1;
        }
        // 5 sigma of a binomial(70,000, 1/7) is 463
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 463), "{counts:?}");
    }

    #[test]
    fn normal_has_mean_zero_and_variance_one() {
        let mut stream = Seed::new(7).stream();
        let draws: Vec<f64> = (0..40_000).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 40_000.0;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40_000.0;
        assert!(mean.abs() < 0.025 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }
}
