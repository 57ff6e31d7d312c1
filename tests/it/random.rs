//! Random choices that can be repeated: the seed of a failed test is in its output, and `IOC_SEED` replays it.

use rand::{SeedableRng, rngs::SmallRng};

/// A generator seeded by `IOC_SEED`, or at random. Prints the seed, which the test runner shows if the test fails. The
/// order in which tasks run is not part of the seed.
pub(crate) fn seeded() -> SmallRng {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration but their environment")]
    let given = std::env::var("IOC_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("IOC_SEED is a whole number"));
    println!("random choices of this run: IOC_SEED={seed}");
    SmallRng::seed_from_u64(seed)
}
