//! For tests: whether work costs in proportion to the size of its input.
//!
//! Costs are processor time of this thread, which other load on the machine does not change, and only their ratio
//! counts. A cost that grows with the square of the size has a ratio of 16.

use std::fs;

/// Four times the size may cost at most so many times as much.
const MAX_RATIO: u64 = 8;
/// Costs below this are not compared: the clock is not that exact.
const MIN_NANOSECONDS: u64 = 16_000_000;
const SMALLEST: usize = 4 << 10;
const LARGEST: usize = 256 << 10;
const TRIES: usize = 6;

/// The processor time of this thread in nanoseconds; `None` where the system does not report it.
fn processor_time() -> Option<u64> {
    // The clock of a thread that runs is updated when it yields.
    std::thread::yield_now();
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

fn cost_of(input: &str, work: &impl Fn(&str)) -> Option<u64> {
    let before = processor_time()?;
    work(input);
    Some(processor_time()?.saturating_sub(before))
}

/// Fails if the work costs more than in proportion to how often the unit is repeated.
#[track_caller]
pub(crate) fn assert_linear(name: &str, unit: &str, work: impl Fn(&str)) {
    let input = |size: usize| unit.repeat(size.div_ceil(unit.len()));
    let mut size = SMALLEST;
    while size < LARGEST && cost_of(&input(size), &work).is_some_and(|cost| cost < MIN_NANOSECONDS) {
        size *= 2;
    }
    let (small, large) = (input(size), input(size * 4));
    let (mut least_small, mut least_large) = (u64::MAX, u64::MAX);
    for _ in 0..TRIES {
        let (Some(of_small), Some(of_large)) = (cost_of(&small, &work), cost_of(&large, &work)) else { return };
        (least_small, least_large) = (least_small.min(of_small), least_large.min(of_large));
        if least_large <= least_small.max(MIN_NANOSECONDS / 2) * MAX_RATIO {
            return;
        }
    }
    panic!("{name} of {unit:?}: {size} bytes cost {least_small} ns, four times as many {least_large} ns");
}
