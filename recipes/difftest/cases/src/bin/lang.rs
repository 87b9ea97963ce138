//! What the language is made of: switches, closures, trait objects, enums and their niches, layouts, slices, strings,
//! thread-locals, large frames, the memory functions.

#![no_std]
#![no_main]
#![feature(thread_local)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use core::hint::black_box;
use core::num::NonZeroU8;

use difftest_rt::{case, each, pairs, put};

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    switches();
    closures();
    objects();
    enums();
    layouts();
    slices();
    strings();
    thread_locals();
    frames();
    memory();
    generics();
    loops();
    0
}

fn switches() {
    let mut c = case("switch", "dense");
    for i in 0..black_box(40u8) {
        put!(c, "{}", match i {
            0 => 7, 1 => 3, 2 => 9, 3 => 1, 4 => 12, 5 => 8, 6 => 5, 7 => 31, 8 => 2, 9 => 44, 10 => 6, 11 => 70, 12 => 4, 13 => 99,
            14..=19 => i as u32 * 3,
            20 | 22 | 24 => 11,
            _ => 0,
        });
    }
    drop(c);
    let mut c = case("switch", "sparse");
    each(&[0, 9, 10, 11, 999, 1000, 1001, 65535, 65536, 1 << 31, u32::MAX], |x: u32| {
        put!(c, "{}", match x { 9 => 1, 11 => 2, 1000 => 3, 65536 => 4, 0x8000_0000 => 5, u32::MAX => 6, _ => 0 });
    });
    drop(c);
    let mut c = case("switch", "negative");
    each(&[-129, -128, -2, -1, 0, 1, 127, 128, i64::MIN, i64::MAX, 1 << 40, -(1 << 40)], |x: i64| {
        put!(c, "{}", match x {
            -128 => 1, -2 => 2, -1 => 3, 0 => 4, 1 => 5, i64::MIN => 6, i64::MAX => 7,
            0x100_0000_0000 => 8, -0x100_0000_0000 => 9,
            _ => 0,
        });
    });
    drop(c);
    let mut c = case("switch", "u128");
    each(&[0, 1, u64::MAX as u128, 1 << 64, (1 << 64) + 1, 1 << 127, u128::MAX], |x: u128| {
        put!(c, "{}", match x {
            0 => 1,
            0xffff_ffff_ffff_ffff => 2,
            0x1_0000_0000_0000_0000 => 3,
            0x1_0000_0000_0000_0001 => 4,
            u128::MAX => 5,
            _ => 0,
        });
    });
    drop(c);
    let mut c = case("switch", "ranges");
    for x in -3..black_box(70i16) {
        put!(c, "{}", match x { i16::MIN..=-1 => 0, 0 => 1, 1..=9 => 2, 10 | 20 | 30 => 3, 31..50 => 4, _ if x % 7 == 0 => 5, _ => 6 });
    }
    drop(c);
    let mut c = case("switch", "char");
    each(&['a', 'z', 'A', '0', 'ß', '\u{10ffff}', '\n', '字'], |x: char| {
        put!(c, "{}", match x { 'a'..='m' => 1, 'n'..='z' => 2, 'A'..='Z' => 3, '0'..='9' => 4, '\u{80}'..='\u{ff}' => 5, '\u{10ffff}' => 6, _ => 7 });
    });
    drop(c);
    let mut c = case("switch", "text");
    each(&["", "one", "two", "three", "threes", "tw"], |x: &str| {
        put!(c, "{}", match x { "" => 0, "one" => 1, "two" => 2, "three" => 3, _ => 9 });
    });
    drop(c);
    let mut c = case("switch", "tuple");
    pairs(&[0u8, 1, 2, 200], |a, b| {
        put!(c, "{}", match (a, b, a > b) { (0, 0, _) => 1, (0, _, _) => 2, (x, 1, true) => x as u32, (200, y, _) => 300 + y as u32, (_, _, t) => t as u32 });
    });
}

fn closures() {
    let mut c = case("closure", "capture");
    let (mut count, text) = (0u64, String::from("moved"));
    let mut add = |n: u64| {
        count += n;
        count
    };
    put!(c, "{} {}", add(black_box(3)), add(4));
    let consume = move || text.len();
    put!(c, "{} {count}", consume());
    drop(c);
    let mut c = case("closure", "boxed");
    let mut all: Vec<Box<dyn FnMut(i32) -> i32>> = Vec::new();
    for i in 0..black_box(6) {
        let mut state = i * 10;
        all.push(Box::new(move |x| {
            state += x;
            state ^ i
        }));
    }
    for round in 0..3 {
        for f in &mut all {
            put!(c, "{}", f(round + 1));
        }
    }
    drop(c);
    let mut c = case("closure", "pointer");
    let table: [fn(i64, i64) -> i64; 5] = [|a, b| a + b, |a, b| a - b, |a, b| a * b, |a, b| if b == 0 { 0 } else { a / b }, i64::max];
    pairs(&[0, 3, -8, 1 << 33], |a, b| {
        for f in black_box(&table) {
            put!(c, "{}", f(a, b));
        }
    });
    drop(c);
    let mut c = case("closure", "returned");
    fn compose<A, B, C>(f: impl Fn(A) -> B, g: impl Fn(B) -> C) -> impl Fn(A) -> C {
        move |x| g(f(x))
    }
    let f = compose(|x: u8| x as u32 * 1000, compose(|y: u32| y as f64 / 7.0, |z: f64| format!("{z:.5}")));
    each(&[0, 1, 255], |x| put!(c, "{}", f(x)));
}

trait Shape {
    fn area(&self) -> f64;
    fn name(&self) -> String {
        String::from("shape")
    }
    fn wide(&self, a: u128, b: [u8; 24]) -> u128 {
        a ^ b[23] as u128
    }
}

struct Square(f64);
struct Circle {
    radius: f32,
    _tag: [u8; 5],
}
struct Nothing;

impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
    fn name(&self) -> String {
        format!("square {}", self.0)
    }
}

impl Shape for Circle {
    fn area(&self) -> f64 {
        (self.radius * self.radius) as f64 * 3.25
    }
    fn wide(&self, a: u128, b: [u8; 24]) -> u128 {
        a.rotate_left(b[0] as u32) + b.iter().map(|&x| x as u128).sum::<u128>()
    }
}

impl Shape for Nothing {
    fn area(&self) -> f64 {
        -0.0
    }
}

impl Drop for Square {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() * 10 + self.0 as u64);
    }
}

fn objects() {
    let mut c = case("dyn", "call");
    let shapes: Vec<Box<dyn Shape>> = alloc::vec![
        Box::new(Square(1.5)), Box::new(Circle { radius: 2.5, _tag: [1; 5] }), Box::new(Nothing), Box::new(Square(4.0)),
    ];
    for s in black_box(&shapes) {
        put!(c, "{} {} {:x} {}", s.area(), s.name(), s.wide(1 << 100, [7; 24]), size_of_val(&**s));
    }
    drop(c);
    let mut c = case("dyn", "drop-order");
    drop(shapes);
    put!(c, "{}", DROPPED.take());
    {
        let _first = Square(1.0);
        let mut second = Some(Square(2.0));
        let _third = (Square(3.0), Square(4.0));
        if black_box(true) {
            drop(second.take());
        }
        let _fifth = second.insert(Square(5.0));
    }
    put!(c, "{}", DROPPED.take());
    drop(c);
    let mut c = case("dyn", "any");
    let things: [&dyn Any; 4] = [&1u8, &"text", &Square(9.0), &(1u8, 2u16)];
    for t in black_box(things) {
        put!(c, "{:?}{:?}{}{}", t.downcast_ref::<u8>(), t.downcast_ref::<&str>(), t.is::<Square>(), t.is::<(u8, u16)>());
    }
    DROPPED.take();
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mixed {
    Unit,
    Byte(u8),
    Pair(u16, u64),
    Nested(Option<Option<bool>>),
    Wide { a: u128, b: i8 },
    Zero(NonZeroU8),
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(i16)]
enum Numbered {
    Low = -300,
    Zero = 0,
    High = 300,
}

#[repr(u8)]
#[derive(Debug, Clone, Copy)]
#[allow(dead_code)]
enum Tagged {
    A(u32) = 3,
    B = 200,
    C { x: f64 } = 9,
}

fn enums() {
    let all = [
        Mixed::Unit, Mixed::Byte(0), Mixed::Byte(255), Mixed::Pair(1, u64::MAX), Mixed::Nested(None), Mixed::Nested(Some(None)),
        Mixed::Nested(Some(Some(false))), Mixed::Nested(Some(Some(true))), Mixed::Wide { a: u128::MAX, b: -1 }, Mixed::Zero(NonZeroU8::MAX),
    ];
    let mut c = case("enum", "match");
    each(&all, |x| {
        put!(c, "{}", match x {
            Mixed::Unit => 1,
            Mixed::Byte(n) => 10 + n as u128,
            Mixed::Pair(a, b) => a as u128 + b as u128,
            Mixed::Nested(None) => 2,
            Mixed::Nested(Some(None)) => 3,
            Mixed::Nested(Some(Some(t))) => 4 + t as u128,
            Mixed::Wide { a, b } => a >> (b as u8 & 100),
            Mixed::Zero(n) => n.get() as u128,
        });
    });
    drop(c);
    let mut c = case("enum", "order");
    pairs(&all, |a, b| put!(c, "{:?}{}", a.cmp(&b), a == b));
    drop(c);
    let mut c = case("enum", "niche");
    each(&[None, Some(NonZeroU8::MIN), Some(NonZeroU8::MAX)], |x| put!(c, "{x:?} {}", size_of_val(&x)));
    each(&[None, Some(None), Some(Some(None)), Some(Some(Some(true)))], |x: Option<Option<Option<bool>>>| {
        put!(c, "{x:?} {}", size_of_val(&x))
    });
    each(&[None, Some(None), Some(Some('\u{10ffff}')), Some(Some('\0'))], |x: Option<Option<char>>| put!(c, "{x:?} {}", size_of_val(&x)));
    each(&[None, Some(Ok(&1u32)), Some(Err(()))], |x: Option<Result<&u32, ()>>| put!(c, "{x:?} {}", size_of_val(&x)));
    each(&[None, Some(core::cmp::Ordering::Less), Some(core::cmp::Ordering::Greater)], |x| put!(c, "{x:?} {}", size_of_val(&x)));
    drop(c);
    let mut c = case("enum", "discriminant");
    each(&[Numbered::Low, Numbered::Zero, Numbered::High], |x| put!(c, "{x:?}{}{}", x as i16, x as i16 as u8));
    each(&[Tagged::A(5), Tagged::B, Tagged::C { x: 2.5 }], |x| {
        put!(c, "{x:?}{}", unsafe { *(&raw const x).cast::<u8>() });
    });
}

#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Packed {
    a: u8,
    b: u32,
    c: u16,
    d: u128,
    e: f64,
}

#[repr(C, packed(2))]
#[derive(Clone, Copy)]
struct PackedTwo {
    a: u8,
    b: u64,
    c: f32,
}

#[repr(C, align(64))]
struct Aligned {
    x: u8,
}

#[repr(C)]
union Overlay {
    whole: u64,
    halves: [u32; 2],
    bytes: [u8; 8],
    float: f64,
}

/// A field of bits in a word, written out as a macro of C would.
#[derive(Clone, Copy, Default)]
struct Bits(u32);

impl Bits {
    fn get(self, at: u32, len: u32) -> u32 {
        self.0 >> at & ((1u64 << len) - 1) as u32
    }
    fn set(&mut self, at: u32, len: u32, value: u32) {
        let mask = (((1u64 << len) - 1) as u32) << at;
        self.0 = self.0 & !mask | value << at & mask;
    }
}

fn layouts() {
    let mut c = case("layout", "packed");
    let p = black_box(Packed { a: 1, b: 0x01020304, c: 0x0506, d: u128::MAX / 3, e: -2.5 });
    let (a, b, w, d, e) = (p.a, p.b, p.c, p.d, p.e);
    put!(c, "{} {a} {b:x} {w:x} {d:x} {e}", size_of::<Packed>());
    let q = black_box(PackedTwo { a: 3, b: 1 << 60, c: 0.1 });
    let (a, b, f) = (q.a, q.b, q.c);
    put!(c, "{} {a} {b} {f}", size_of::<PackedTwo>());
    let mut list = black_box([p; 3]);
    list[1].b = 77;
    list[2].d += list[0].d;
    let (b, d) = (list[1].b, list[2].d);
    put!(c, "{b} {d}");
    drop(c);
    let mut c = case("layout", "aligned");
    let a = black_box(Aligned { x: 9 });
    let b = Box::new(Aligned { x: 8 });
    put!(c, "{} {} {} {}", a.x + b.x, size_of::<Aligned>(), &raw const a as usize % 64, &raw const *b as usize % 64);
    drop(c);
    let mut c = case("layout", "union");
    let mut u = Overlay { whole: black_box(0x3ff8_0000_0000_0001) };
    unsafe {
        put!(c, "{:x?} {:?} {}", u.halves, u.bytes, u.float);
        u.bytes[7] = 0xbf;
        put!(c, "{:x} {}", u.whole, u.float);
    }
    drop(c);
    let mut c = case("layout", "bits");
    let mut bits = black_box(Bits::default());
    for (at, len, value) in [(0, 3, 5), (3, 7, 100), (10, 1, 1), (11, 20, 0xabcde), (31, 1, 1), (3, 7, 1000)] {
        bits.set(at, len, black_box(value));
        put!(c, "{:08x} {}", bits.0, bits.get(at, len));
    }
    drop(c);
    let mut c = case("layout", "sizes");
    put!(c, "{} {} {}", size_of::<Mixed>(), align_of::<Mixed>(), size_of::<Option<Mixed>>());
    put!(c, "{} {} {}", size_of::<(u8, u16, u8, u64)>(), size_of::<Tagged>(), align_of::<u128>());
    put!(c, "{} {}", core::mem::offset_of!(Packed, d), core::mem::offset_of!(PackedTwo, c));
}

fn slices() {
    let data: Vec<u32> = (0..black_box(200u32)).map(|i| i.wrapping_mul(2654435761) >> 20).collect();
    let mut c = case("slice", "sort");
    let mut sorted = data.clone();
    sorted.sort();
    put!(c, "{sorted:?}");
    sorted.sort_by_key(|x| x % 17);
    put!(c, "{sorted:?}");
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    put!(c, "{sorted:?} {:?}", sorted.is_sorted());
    sorted.select_nth_unstable(100);
    put!(c, "{}", sorted[100]);
    drop(c);
    let mut c = case("slice", "search");
    let mut sorted = data.clone();
    sorted.sort();
    each(&[0, 1, 500, 2000, 4095, 9999], |x| put!(c, "{:?}{}", sorted.binary_search(&x).is_ok(), sorted.partition_point(|&y| y < x)));
    put!(c, "{:?}{:?}", data.iter().position(|&x| x > 4000), data.iter().rposition(|&x| x < 50));
    drop(c);
    let mut c = case("slice", "iterate");
    for w in data.windows(3).step_by(11) {
        put!(c, "{w:?}");
    }
    for ch in data.chunks(7).rev().take(4) {
        put!(c, "{ch:?}");
    }
    put!(c, "{:?}", data.chunks_exact(64).remainder());
    put!(c, "{}", data.iter().zip(data.iter().skip(1)).filter(|(a, b)| a < b).count());
    put!(c, "{:?}", data.iter().rev().scan(0u32, |s, &x| { *s = s.wrapping_mul(31) ^ x; Some(*s) }).last());
    drop(c);
    let mut c = case("slice", "change");
    let mut v = data.clone();
    v.rotate_left(73);
    v[10..50].reverse();
    v.swap(0, 199);
    let (left, right) = v.split_at_mut(100);
    left[..50].swap_with_slice(&mut right[50..]);
    v.copy_within(20..120, 60);
    v.dedup();
    v.retain(|x| x % 3 != 1);
    v.truncate(90);
    v.insert(5, 42);
    v.drain(10..20);
    put!(c, "{v:?}");
    put!(c, "{:?}", data.split(|x| x % 10 == 0).map(<[u32]>::len).collect::<Vec<_>>());
    put!(c, "{:?}{:?}", data.first_chunk::<3>(), data.as_chunks::<16>().1);
    drop(c);
    let mut c = case("slice", "compare");
    pairs(&[&b""[..], b"a", b"ab", b"b", b"\xff", b"a\0", b"abcdefghijklmnop", b"abcdefghijklmnoq"], |a: &[u8], b: &[u8]| {
        put!(c, "{:?}{}{}", a.cmp(b), a == b, a.starts_with(b));
    });
}

fn strings() {
    let text = black_box("Zażółć gęślą jaźń — 漢字 🦀 naïve\r\nsecond\tline  end");
    let mut c = case("text", "chars");
    for (at, ch) in text.char_indices() {
        put!(c, "{at}:{:x}{}", ch as u32, ch.len_utf8());
    }
    put!(c, "{:?}{}", text.encode_utf16().collect::<Vec<_>>(), text.chars().rev().collect::<String>());
    drop(c);
    let mut c = case("text", "split");
    put!(c, "{:?}", text.split_whitespace().collect::<Vec<_>>());
    put!(c, "{:?}{:?}", text.lines().collect::<Vec<_>>(), text.split_once('—'));
    put!(c, "{:?}{:?}", text.find("字"), text.rfind('e'));
    put!(c, "{:?}", text.matches(char::is_whitespace).count());
    drop(c);
    let mut c = case("text", "change");
    put!(c, "{} {} {}", text.to_uppercase(), text.to_lowercase(), text.replace("ą", "<a>"));
    put!(c, "{:?} {}", text.trim_end_matches("end"), text.repeat(2).len());
    put!(c, "{:?}", text.escape_debug().collect::<String>());
    put!(c, "{}", text.escape_unicode().count());
    drop(c);
    let mut c = case("text", "utf8");
    for bytes in [&b"ok"[..], b"\xc3\x28", b"\xe2\x82", b"\xf0\x9f\xa6\x80", b"\xed\xa0\x80", b"a\xffb", b"\xf4\x90\x80\x80", b"long ascii text, longer than a word \xc0"] {
        put!(c, "{:?} {}", core::str::from_utf8(black_box(bytes)), String::from_utf8_lossy(bytes));
    }
    drop(c);
    let mut c = case("text", "format");
    put!(c, "{:>10}|{:<10}|{:^10}|{:*^9}|{:.3}|{:10.2}|", "ab", "ab", "ab", "ab", "abcdef", "abcdef");
    put!(c, "{:?} {:#?}", (1, "x", [Some(1.5), None]), Mixed::Pair(1, 2));
    put!(c, "{0:1$} {0:.2$} {2:>+3$}", 3.14159, 9, 7, 5);
    put!(c, "{:.*}|{:>+2$}", 3, 2.0 / 3.0, 12);
    put!(c, "{:p} {:02x?} {:#010b}", 0x1234 as *const u8, [1, 171], 5);
}

static GLOBAL: [u16; 5] = [1, 2, 3, 4, 65535];
static mut CHANGING: [u64; 3] = [7, 0, 9];

#[thread_local]
static DROPPED: Cell<u64> = Cell::new(0);
#[thread_local]
static INITIALISED: Cell<u64> = Cell::new(0x1234_5678_9abc_def0);
#[thread_local]
static SMALL: Cell<u8> = Cell::new(0x5a);
#[thread_local]
static BIG: RefCell<[u32; 100]> = RefCell::new([3; 100]);

#[repr(align(32))]
struct Wide(Cell<[u8; 3]>);

#[thread_local]
static WIDE: Wide = Wide(Cell::new([1, 2, 3]));

fn thread_locals() {
    let mut c = case("tls", "initial");
    put!(c, "{:x} {:x} {} {:?}", INITIALISED.get(), SMALL.get(), BIG.borrow().iter().sum::<u32>(), WIDE.0.get());
    drop(c);
    let mut c = case("tls", "alignment");
    put!(c, "{} {} {}", &raw const WIDE as usize % 32, &raw const INITIALISED as usize % 8, &raw const BIG as usize % 4);
    drop(c);
    let mut c = case("tls", "change");
    INITIALISED.set(INITIALISED.get().rotate_left(4));
    SMALL.set(SMALL.get().wrapping_add(200));
    BIG.borrow_mut()[99] = 1000;
    put!(c, "{:x} {:x} {}", INITIALISED.get(), SMALL.replace(1), BIG.borrow().iter().sum::<u32>());
    drop(c);
    let mut c = case("static", "data");
    unsafe {
        let changing = &raw mut CHANGING;
        (*changing)[1] = GLOBAL[black_box(4)] as u64;
        put!(c, "{:?} {:?}", GLOBAL, *changing);
    }
}

/// Locals of more than 64 KiB: offsets no load or store instruction holds.
#[inline(never)]
fn large<const N: usize>(seed: u32) -> (u64, usize) {
    let mut a = [0u32; N];
    let mut b = [0u8; N];
    let mut state = seed;
    for i in 0..N {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        a[i] = state;
        b[N - 1 - i] = (state >> 13) as u8;
    }
    let (a, b) = (black_box(a), black_box(b));
    let sum = a.iter().zip(&b).fold(0u64, |sum, (&x, &y)| sum.rotate_left(3) ^ (x as u64 * y as u64));
    (sum, b.iter().filter(|&&y| y > 128).count())
}

#[inline(never)]
fn deep(n: u32, carry: [u64; 40]) -> u64 {
    let mut mine = carry;
    mine[n as usize % 40] ^= n as u64 * 0x9e37_79b9;
    if n == 0 { mine.iter().fold(0, |x, &y| x ^ y) } else { deep(n - 1, black_box(mine)).wrapping_add(mine[3]) }
}

fn frames() {
    let mut c = case("frame", "large");
    put!(c, "{:?}", large::<100>(black_box(1)));
    put!(c, "{:?}", large::<5000>(black_box(2)));
    put!(c, "{:?}", large::<20000>(black_box(3)));
    put!(c, "{:?}", large::<40000>(black_box(4)));
    drop(c);
    let mut c = case("frame", "deep");
    put!(c, "{:x}", deep(black_box(300), [1; 40]));
}

fn memory() {
    let mut c = case("memory", "overlap");
    let start: Vec<u8> = (0..=255).collect();
    for (from, to, len) in [(0, 1, 100), (1, 0, 100), (0, 8, 64), (8, 0, 64), (3, 90, 17), (10, 10, 50), (0, 128, 128), (5, 2, 200), (2, 5, 200)] {
        let mut v = start.clone();
        let p = v.as_mut_ptr();
        unsafe { core::ptr::copy(p.add(black_box(from)), p.add(black_box(to)), black_box(len)) };
        put!(c, "{v:02x?}");
    }
    drop(c);
    let mut c = case("memory", "fill");
    for len in [0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100] {
        let mut v = start.clone();
        unsafe {
            core::ptr::write_bytes(v.as_mut_ptr().add(3), 0xee, black_box(len));
            core::ptr::copy_nonoverlapping(start.as_ptr(), v.as_mut_ptr().add(120), black_box(len));
        }
        v[..3].fill(9);
        put!(c, "{v:02x?}");
    }
    drop(c);
    let mut c = case("memory", "unaligned");
    for at in 0..9 {
        let p = unsafe { start.as_ptr().add(black_box(at)) };
        unsafe {
            put!(c, "{:x} {:x} {:x}", p.cast::<u16>().read_unaligned(), p.cast::<u64>().read_unaligned(), p.cast::<u128>().read_unaligned());
        }
    }
    drop(c);
    let mut c = case("memory", "volatile");
    let mut word = 5u32;
    for i in 0..black_box(5) {
        unsafe {
            let old = (&raw const word).read_volatile();
            (&raw mut word).write_volatile(old * 3 + i);
        }
    }
    put!(c, "{word}");
    drop(c);
    let mut c = case("memory", "arrays");
    let a: [[u16; 5]; 4] = core::array::from_fn(|i| core::array::from_fn(|j| (i * 10 + j) as u16));
    let mut b = black_box(a);
    b[2] = a[black_box(0)];
    b[black_box(3)][4] = 999;
    put!(c, "{b:?} {} {:?}", a == b, a.as_flattened().iter().max());
    put!(c, "{:?}", core::mem::replace(&mut b[1], [0; 5]));
}

trait Monoid {
    const ZERO: Self;
    fn plus(self, other: Self) -> Self;
}

impl Monoid for u8 {
    const ZERO: u8 = 0;
    fn plus(self, other: u8) -> u8 {
        self.saturating_add(other)
    }
}

impl Monoid for String {
    const ZERO: String = String::new();
    fn plus(mut self, other: String) -> String {
        self.push_str(&other);
        self
    }
}

impl<A: Monoid, B: Monoid> Monoid for (A, B) {
    const ZERO: (A, B) = (A::ZERO, B::ZERO);
    fn plus(self, other: Self) -> Self {
        (self.0.plus(other.0), self.1.plus(other.1))
    }
}

fn generics() {
    fn all<M: Monoid>(items: impl Iterator<Item = M>) -> M {
        items.fold(M::ZERO, M::plus)
    }
    let mut c = case("generic", "monoid");
    put!(c, "{:?}", all((0..black_box(30u8)).map(|i| (i, (format!("{i:x}"), i / 3)))));
    drop(c);
    let mut c = case("generic", "question-mark");
    fn parse(text: &str) -> Result<u32, Box<dyn core::error::Error>> {
        let (a, b) = text.split_once('+').ok_or("no plus")?;
        Ok(a.trim().parse::<u32>()? + b.trim().parse::<u8>()? as u32)
    }
    each(&["1+2", "1 + 300", "x+1", "12", "4294967290+5"], |x| match parse(x) {
        Ok(n) => put!(c, "{n}"),
        Err(e) => put!(c, "{e}"),
    });
    drop(c);
    let mut c = case("generic", "const");
    fn sum<const N: usize>(a: [i16; N]) -> i64 {
        a.iter().map(|&x| x as i64).sum::<i64>() * N as i64
    }
    put!(c, "{} {} {}", sum(black_box([1])), sum(black_box([-1; 33])), sum(black_box([0; 0])));
}

fn loops() {
    let mut c = case("loop", "labels");
    'outer: for i in 0..black_box(30u32) {
        for j in i.. {
            if i * j % 7 == 6 {
                put!(c, "{i},{j}");
                continue 'outer;
            }
            if j > 40 {
                break 'outer;
            }
        }
    }
    let found = loop {
        if black_box(1) == 1 {
            break 17;
        }
    };
    put!(c, "{found}");
    drop(c);
    let mut c = case("loop", "ranges");
    put!(c, "{} {}", (0..=black_box(255u8)).map(|x| x as u32).sum::<u32>(), (i8::MIN..=i8::MAX).rev().step_by(50).map(|x| x as i32).sum::<i32>());
    put!(c, "{} {}", (black_box(5)..5).count(), (u64::MAX - black_box(3)..=u64::MAX).count());
    drop(c);
    let mut c = case("loop", "collatz");
    for start in [27u64, 97, 871, 6171] {
        let (mut n, mut steps, mut top) = (black_box(start), 0, 0);
        while n != 1 {
            n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
            steps += 1;
            top = top.max(n);
        }
        put!(c, "{steps} {top}");
    }
}
