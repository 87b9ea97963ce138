//! Locals that Cranelift takes off the stack (patches/cg_clif/0016), and switches by comparison (0014): structures read and
//! written part by part, unions, references within a function, values that go round loops, and the edges of ranges.

#![no_std]
#![no_main]

extern crate alloc;

use core::ffi::c_int;
use core::hint::black_box;
use core::mem::{self, MaybeUninit};
use core::num::NonZeroU32;

use difftest_rt::{case, each, pairs, put};

#[derive(Clone, Copy, Debug)]
enum Shape {
    Empty,
    Small(u8),
    Mixed { tag: u8, weight: f32, count: u16 },
    Large([u64; 3]),
    Pair(f64, i64),
}

impl Shape {
    fn new(n: u32) -> Shape {
        match n % 5 {
            0 => Shape::Empty,
            1 => Shape::Small(n as u8),
            2 => Shape::Mixed { tag: n as u8, weight: n as f32 / 4.0, count: n as u16 ^ 0x55 },
            3 => Shape::Large([n as u64, !n as u64, (n as u64) << 33]),
            _ => Shape::Pair(n as f64 * 1.5, -(n as i64)),
        }
    }
}

#[derive(Clone, Copy)]
#[repr(C)]
union Word {
    int: u64,
    float: f64,
    halves: [u32; 2],
    bytes: [u8; 8],
}

#[derive(Clone, Copy, Debug)]
#[repr(C, packed(2))]
struct Packed {
    a: u16,
    b: u32,
    c: u64,
}

fn structures() {
    let mut c = case("places", "enum-copies");
    let mut last = Shape::Empty;
    let mut kept = [Shape::Small(1); 3];
    for n in 0..black_box(40u32) {
        let next = Shape::new(n.wrapping_mul(7));
        let copy = if n % 3 == 0 { last } else { next };
        kept[n as usize % 3] = copy;
        let sum = match copy {
            Shape::Empty => 0,
            Shape::Small(x) => x as u64,
            Shape::Mixed { tag, weight, count } => tag as u64 + (weight * 4.0) as u64 + count as u64,
            Shape::Large([a, _, b]) => a ^ b,
            Shape::Pair(x, y) => x.to_bits() ^ y as u64,
        };
        put!(c, "{sum:x}");
        last = next;
    }
    put!(c, "{kept:?}{last:?}");
    drop(c);
    let mut c = case("places", "union");
    each(&[0u64, 1, 0x3ff0_0000_0000_0000, 0x7ff8_0000_0000_0001, 0x8000_0000_0000_0000, !0], |int| {
        let mut word = Word { int };
        let float = unsafe { word.float };
        word.halves = unsafe { [word.halves[1], word.halves[0]] };
        let swapped = unsafe { word.int };
        word.float = float;
        let bytes = unsafe { word.bytes };
        put!(c, "{swapped:x} {:x} {bytes:?} {:x}", float.to_bits(), unsafe { word.halves[1] });
    });
    drop(c);
    let mut c = case("places", "packed");
    pairs(&[0u32, 1, 0x8000_0001, !0], |a, b| {
        let mut x = Packed { a: a as u16, b, c: (a as u64) << 32 | b as u64 };
        let y = x;
        x.b = y.b.rotate_left(5);
        let whole = unsafe { mem::transmute::<Packed, [u16; 7]>(if a > b { x } else { y }) };
        put!(c, "{whole:?}{x:?}");
    });
    drop(c);
    let mut c = case("places", "transmute");
    pairs(&[0.0f32, -1.5, f32::MAX, f32::MIN_POSITIVE], |a, b| {
        let [x, y] = unsafe { mem::transmute::<(f32, f32), [u32; 2]>((a, b)) };
        let whole = unsafe { mem::transmute::<[u32; 2], f64>([y, x]) };
        put!(c, "{:x} {:x}", x ^ y, whole.to_bits());
    });
}

fn references() {
    let mut c = case("places", "references");
    pairs(&[0i64, 1, -1, i64::MAX, i64::MIN, 77], |a, b| {
        let (mut x, mut y) = (a, b);
        {
            let (p, q) = if a < b { (&mut x, &mut y) } else { (&mut y, &mut x) };
            *p = p.wrapping_add(3);
            mem::swap(p, q);
            *q ^= *p;
        }
        let z = &mut x;
        *z = z.rotate_left(7);
        let twice = [&x, &y];
        put!(c, "{x:x} {y:x} {:x}", twice[(a & 1) as usize].wrapping_sub(*twice[0]));
    });
    drop(c);
    let mut c = case("places", "escapes");
    #[inline(never)]
    fn change(of: &mut (u64, u32), by: u64) -> u64 {
        of.0 = of.0.rotate_left(9) ^ by;
        of.1 += 1;
        of.0
    }
    for n in 0..black_box(12u64) {
        let mut state = (n, 5u32);
        let before = state.0;
        let first = if n % 2 == 0 { change(&mut state, n) } else { 0 };
        let middle = state.0;
        state.0 += 1;
        let pointer = black_box(&raw mut state.1);
        unsafe { *pointer += 10 };
        put!(c, "{before} {first} {middle} {} {}", state.0, state.1);
    }
    drop(c);
    let mut c = case("places", "sometimes-written");
    for n in 0..black_box(16u32) {
        let mut slot = MaybeUninit::<[u32; 4]>::uninit();
        let mut full = false;
        for i in 0..n % 6 {
            unsafe { (*slot.as_mut_ptr())[i as usize % 4] = n * 10 + i };
            full = i == 3 || full;
        }
        put!(c, "{:?}", full.then(|| unsafe { slot.assume_init() }));
    }
    drop(c);
    let mut c = case("places", "loops");
    for n in 0..black_box(20u64) {
        let (mut a, mut b) = ((n, 1u64), (1u64, n));
        let mut steps = 0u16;
        loop {
            let next = (a.0.wrapping_mul(b.1) ^ b.0, a.1.wrapping_add(steps as u64));
            if next.0 % 7 == 3 || steps > 30 {
                break;
            }
            if next.1 & 1 == 0 {
                a = b;
                b = next;
            } else {
                mem::swap(&mut a, &mut b);
                a.1 = next.0;
            }
            steps += 1;
        }
        put!(c, "{a:?}{b:?}{steps}");
    }
}

/// The same ranges over every type: at both ends, in the middle, single values, one target more than once.
macro_rules! ranges {
    ($($t:ident)*) => {$({
        const MIN: $t = $t::MIN;
        const MAX: $t = $t::MAX;
        const LAST: $t = MAX - 1;
        let mut c = case("places-switch", stringify!($t));
        each(&[MIN, MIN + 1, 0, 1, 2, 3, 4, 5, 9, 10, 11, 50, 99, 100, 101, 126, LAST, MAX], |x: $t| {
            let x = black_box(x);
            put!(c, "{}{}{}{}{}{}{}",
                match x { MIN => 1, _ => 2 },
                match x { MAX => 1, 3..=9 => 2, _ => 0 },
                match x { 10..=100 => 1, _ => 2 },
                match x { 0 | 2 | 4 => 1, 5..=9 => 3, _ => 2 },
                match x { 0 => 4, 1 => 5, 2 => 6, _ => 0 },
                match x { MIN..2 => 1, 2..=99 => 2, 100.. => 3 },
                match x { 0 => 1, 1 => 2, 2 => 3, 3 => 1, 4 => 2, 5 => 4, 9 => 5, 10 => 6, LAST.. => 7, _ => 0 },
            );
        });
    })*};
}

#[derive(Clone, Copy)]
#[repr(i16)]
enum Sparse {
    Low = -300,
    Minus = -1,
    Zero = 0,
    High = 12345,
}

fn switches() {
    ranges!(u8 i8 u16 i16 u32 i32 u64 i64 usize u128 i128);
    let mut c = case("places-switch", "discriminants");
    for _ in 0..black_box(1) {
        each(&[Sparse::Low, Sparse::Minus, Sparse::Zero, Sparse::High], |x| {
            let x = black_box(x);
            let all = match x { Sparse::Low => 1, Sparse::Minus => 2, Sparse::Zero => 3, Sparse::High => 4 };
            put!(c, "{all}{}{}", match x { Sparse::High => 1, _ => 2 }, matches!(x, Sparse::Minus | Sparse::Zero));
        });
    }
    drop(c);
    let mut c = case("places-switch", "niches");
    each(&[0u32, 1, 2, 3, 255, 256, !0], |n| {
        let one = black_box(NonZeroU32::new(n));
        let two = black_box((n != 1).then_some(n % 2 == 0));
        let three = black_box((n != 2).then_some(two));
        let text = black_box(if n > 2 { Ok("text") } else { Err(n as u8) });
        put!(c, "{}{}{}{}",
            match one { Some(x) => x.get(), None => 7 },
            match two { Some(true) => 1, Some(false) => 2, None => 3 },
            match three { None => 1, Some(None) => 2, Some(Some(x)) => 3 + x as u32 },
            match text { Ok(x) => x.len(), Err(n) => n as usize });
    });
    drop(c);
    let mut c = case("places-switch", "bools");
    pairs(&[0u8, 1, 2, 3, 254, 255], |a, b| {
        let (x, y) = black_box((a & 1 == 1, b > 2));
        put!(c, "{}{}{}", if x { 1 } else { 2 }, if !y { 1 } else { 2 }, match (x, y) { (true, true) => 1, (false, _) => 2, _ => 3 });
    });
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    structures();
    references();
    switches();
    0
}
