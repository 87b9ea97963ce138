//! Seed from timer jitter, for aarch64 machines without a hardware random source.
//!
//! The virtual counter is sampled before and after stretches of work whose duration depends on caches,
//! interrupts and the scheduler. Every sample goes into SHA-256, whose digest is the seed. This is not as
//! good as a hardware source; it is what keeps two boots from sharing one all-zero seed.

use sha2::{Digest, Sha256};
use std::arch::asm;
use std::hint::black_box;

/// Counter samples mixed into one seed.
const SAMPLES: u64 = 64;

/// The virtual count register; the barrier keeps the read from moving across the work around it.
fn counter() -> u64 {
    let ticks: u64;
    unsafe {
        asm!("isb", "mrs {}, CNTVCT_EL0", out(reg) ticks, options(nomem, nostack));
    }
    ticks
}

/// Work of varying length over memory and arithmetic, so that its duration is not constant.
fn busy_work(scratch: &mut [u64; 128], from: u64) -> u64 {
    let mut state = from | 1;
    for _ in 0..64 + (state >> 3) % 192 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let slot = (state % scratch.len() as u64) as usize;
        scratch[slot] = scratch[slot].wrapping_add(state);
        state = black_box(state ^ scratch[slot]) | 1;
    }
    state
}

/// 32 bytes out of `SAMPLES` counter values and the gaps between them.
pub fn seed() -> [u8; 32] {
    let mut scratch = [0u64; 128];
    let mut digest = Sha256::new();
    let mut last = counter();
    digest.input(last.to_le_bytes());
    for round in 0..SAMPLES {
        let work = busy_work(&mut scratch, last.rotate_left(round as u32));
        let now = counter();
        digest.input(now.to_le_bytes());
        digest.input(now.wrapping_sub(last).to_le_bytes());
        digest.input(work.to_le_bytes());
        last = now;
    }
    let mut seed = [0; 32];
    seed.copy_from_slice(digest.result().as_slice());
    seed
}
