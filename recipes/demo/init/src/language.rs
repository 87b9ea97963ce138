//! Canaries of the code generator: one for each thing a backend is known to have got wrong, and for what every Redox
//! program relies on. All inputs go through `black_box`, so that nothing is computed by the compiler.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int};
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::SeqCst};

use demo_rt as rt;

use crate::canary::Report;

pub fn check(report: &mut Report) {
    f128_compare(report);
    f128_arithmetic(report);
    sym_asm(report);
    sym_global_asm(report);
    alloc_collections(report);
    alloc_reuse(report);
    variadic(report);
    variadic_stack(report);
    variadic_float(report);
    int128(report);
    floats(report);
    atomics(report);
    large_frame(report);
    dynamic(report);
}

/// Comparisons become calls of __letf2 and its siblings in compiler_builtins, whose result type the Cranelift backend
/// once took from the host.
fn f128_compare(report: &mut Report) {
    let compare = |a: f128, b: f128| {
        let (a, b) = (black_box(a), black_box(b));
        [a < b, a <= b, a == b, a != b, a >= b, a > b].map(|is| if is { '1' } else { '0' }).into_iter().collect()
    };
    let got: [String; 5] =
        [compare(1.0, 2.0), compare(2.0, 1.0), compare(-1.5, -1.5), compare(0.0, -0.0), compare(f128::NAN, 1.0)];
    report.same("f128-compare", got.join(" "), "110100 000111 011010 011010 000100");
}

fn f128_arithmetic(report: &mut Report) {
    let third = black_box(1.0f128) / black_box(3.0);
    let sum = third + third * black_box(2.0);
    // 2^70 + 1 fits in the 113 bits of the fraction, and in no smaller float.
    let large = black_box(1180591620717411303424.0f128) + black_box(1.0);
    let odd = (large as u128) & 1;
    let bits = third.to_bits();
    report.same(
        "f128-arithmetic",
        format!("{bits:032x} {} {odd} {}", sum as f64, black_box(-7i64) as f128 as i32),
        "3ffd5555555555555555555555555555 1 1 -7",
    );
}

/// Exported, so that no backend can make it local to its codegen unit: a `sym` of a local function is left undefined.
#[unsafe(no_mangle)]
extern "C" fn demo_sym_target(a: u64, b: u64) -> u64 {
    a * 1000 + b
}

fn sym_asm(report: &mut Report) {
    let result: u64;
    unsafe {
        core::arch::asm!(
            "bl {target}",
            target = sym demo_sym_target,
            inlateout("x0") black_box(12u64) => result,
            in("x1") black_box(34u64),
            clobber_abi("C"),
        );
    }
    report.same("sym-asm", format!("{result}"), "12034");
}

core::arch::global_asm!(
    ".globl demo_sym_trampoline",
    ".type demo_sym_trampoline, %function",
    "demo_sym_trampoline:",
    "add x1, x1, #1",
    "b {target}",
    ".size demo_sym_trampoline, . - demo_sym_trampoline",
    target = sym demo_sym_target,
);

fn sym_global_asm(report: &mut Report) {
    unsafe extern "C" {
        fn demo_sym_trampoline(a: u64, b: u64) -> u64;
    }
    let result = unsafe { demo_sym_trampoline(black_box(56), black_box(78)) };
    report.same("sym-global-asm", format!("{result}"), "56079");
}

fn alloc_collections(report: &mut Report) {
    let mut map = BTreeMap::new();
    for i in 0..black_box(1000u32) {
        map.insert(i.wrapping_mul(2654435761) % 1009, i);
    }
    map.retain(|key, _| key % 3 == 0);
    let sum: u64 = map.values().map(|&value| value as u64).sum();
    let words: Vec<String> = map.keys().take(4).map(|key| format!("<{key}>")).collect();
    let sorted = map.keys().is_sorted();
    report.same("alloc", format!("{} {sum} {sorted} {}", map.len(), words.join("")), "293 158712 true <0><3><6><9>");
}

/// What is freed is used again: two hundred megabytes pass through, of which at most two live at once.
fn alloc_reuse(report: &mut Report) {
    let mut low = usize::MAX;
    let mut high = 0;
    for i in 0..black_box(100usize) {
        let mut block: Vec<u8> = Vec::with_capacity((1 << 20) + i * 16);
        block.push(i as u8);
        let small: Vec<Box<usize>> = (0..50).map(|n| Box::new(n + i)).collect();
        assert_eq!(*small[49], 49 + i);
        low = low.min(block.as_ptr() as usize);
        high = high.max(block.as_ptr() as usize + block.capacity());
        block.reserve_exact(1 << 20);
        assert_eq!(block[0], i as u8);
    }
    report.same("alloc-reuse", format!("{}", high - low < 16 << 20), "true");
}

fn variadic(report: &mut Report) {
    let mut buffer = [0 as c_char; 128];
    let len = unsafe {
        rt::mini_snprintf(
            buffer.as_mut_ptr(),
            buffer.len(),
            c"%d %s %c %lx".as_ptr(),
            black_box(-42i32),
            black_box(c"text").as_ptr(),
            black_box(b'!' as i32),
            black_box(0xfeed_face_cafe_beefu64),
        )
    };
    report.same("variadic", format!("{len} {}", text(&buffer)), "27 -42 text ! feedfacecafebeef");
}

/// More integers than registers: the rest is on the stack, narrow ones in slots of eight bytes too.
fn variadic_stack(report: &mut Report) {
    let mut buffer = [0 as c_char; 256];
    let n = |n: i64| black_box(n * 111_111_111_111);
    let len = unsafe {
        rt::mini_snprintf(
            buffer.as_mut_ptr(),
            buffer.len(),
            c"%ld %d %ld %d %ld %d %ld %d %ld %s".as_ptr(),
            n(1),
            black_box(-2i32),
            n(3),
            black_box(-4i32),
            n(5),
            black_box(-6i32),
            n(7),
            black_box(-8i32),
            n(9),
            black_box(c"end").as_ptr(),
        )
    };
    report.same(
        "variadic-stack",
        format!("{len} {}", text(&buffer)),
        "80 111111111111 -2 333333333333 -4 555555555555 -6 777777777777 -8 999999999999 end",
    );
}

/// Ten integers and ten doubles: both register files overflow, and the rest goes on the stack in the order of the
/// arguments.
///
/// Cranelift refuses doubles in a variadic call ("Non int ty types::F64 for variadic call"), so the callee is
/// given the fixed signature of this one call. AAPCS64 on ELF passes both kinds alike; what is checked
/// is the caller's placement of the arguments and libc's `va_arg` of doubles.
#[rustfmt::skip]
fn variadic_float(report: &mut Report) {
    type Fixed = unsafe extern "C" fn(
        *mut c_char, usize, *const c_char,
        i64, f64, i64, f64, i64, f64, i64, f64, i64, f64,
        i64, f64, i64, f64, i64, f64, i64, f64, i32, f64,
        *const c_char,
    ) -> c_int;
    let print: Fixed = unsafe { core::mem::transmute(black_box(rt::mini_snprintf as *const ())) };
    let mut buffer = [0 as c_char; 256];
    let i = |n: i64| black_box(n * 111_111_111_111);
    let f = |n: i32| black_box(n as f64 + 0.25);
    let len = unsafe {
        print(
            buffer.as_mut_ptr(), buffer.len(),
            c"%ld %.2f %ld %.2f %ld %.2f %ld %.2f %ld %.2f %ld %.2f %ld %.2f %ld %.2f %ld %.2f %d %.2f %s".as_ptr(),
            i(1), f(1), i(2), f(2), i(3), f(3), i(4), f(4), i(5), f(5),
            i(6), f(6), i(7), f(7), i(8), f(8), i(9), f(9), black_box(-10i32), f(10),
            black_box(c"end").as_ptr(),
        )
    };
    let want = (1..10).map(|n| format!("{} {n}.25 ", n as i64 * 111_111_111_111)).collect::<String>() + "-10 10.25 end";
    let want = format!("{} {want}", want.len());
    report.same("variadic-float", format!("{len} {}", text(&buffer)), &want);
}

fn text(buffer: &[c_char]) -> &str {
    unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_str().unwrap_or("?")
}

fn int128(report: &mut Report) {
    let a = black_box(0x0123_4567_89ab_cdef_0011_2233_4455_6677u128);
    let b = black_box(10_000_000_000_000_000_000_001i128);
    let product = black_box(u64::MAX as u128) * black_box(u64::MAX as u128);
    report.same(
        "i128",
        format!("{} {} {} {:x} {:?}", a / 1_000_003, -b % 1_000_007, product, a << 13 >> 7, a.checked_mul(a)),
        "1512361538119556570302708595253 -570029 340282366920938463426481119284349108225 \
         d159e26af37bc004488cd115599dc0 None",
    );
}

fn floats(report: &mut Report) {
    let x = black_box(2.0f64);
    let parsed: f64 = black_box("6.02214076e23").parse().unwrap_or(0.0);
    report.same(
        "float-format",
        format!(
            "{:.3} {:e} {} {} {} {:?} {}",
            x / 3.0,
            parsed,
            0.1 + black_box(0.2),
            black_box(f32::MAX),
            black_box(1e300f64) as u64,
            black_box(-0.0f32),
            black_box(1.0f64) / black_box(0.0)
        ),
        "0.667 6.02214076e23 0.30000000000000004 340282350000000000000000000000000000000 18446744073709551615 -0.0 inf",
    );
}

fn atomics(report: &mut Report) {
    static WORD: AtomicU64 = AtomicU64::new(1);
    let (byte, half, single, flag) =
        (AtomicU8::new(250), AtomicU16::new(7), AtomicU32::new(0xf0f0), AtomicBool::new(false));
    let old = byte.fetch_add(black_box(10), SeqCst);
    let swapped = half.swap(black_box(9), SeqCst);
    let before = single.fetch_and(black_box(0xff), SeqCst) + single.fetch_max(black_box(1000), SeqCst);
    let missed = WORD.compare_exchange(black_box(2), 3, SeqCst, SeqCst);
    let hit = WORD.compare_exchange(black_box(1), 5, SeqCst, SeqCst);
    let set = flag.fetch_or(black_box(true), SeqCst);
    report.same(
        "atomics",
        format!(
            "{old} {} {swapped} {} {before} {} {missed:?} {hit:?} {} {set} {}",
            byte.load(SeqCst),
            half.load(SeqCst),
            single.load(SeqCst),
            WORD.load(SeqCst),
            flag.load(SeqCst),
        ),
        "250 4 7 9 61920 1000 Err(1) Ok(1) 5 false true",
    );
}

/// A frame of many pages, filled from its far end: stack probes, large offsets from the stack pointer.
#[inline(never)]
fn large_frame(report: &mut Report) {
    let mut frame = [0u32; 64 << 10];
    let frame = black_box(&mut frame);
    for (i, word) in frame.iter_mut().enumerate().rev() {
        *word = i as u32;
    }
    let sum: u64 = black_box(&*frame).iter().map(|&word| word as u64).sum();
    report.same("large-frame", format!("{} {sum}", size_of_val(frame)), "262144 2147450880");
}

/// Trait objects, closures, enums in a match, slices sorted by a closure, a returned large value.
fn dynamic(report: &mut Report) {
    trait Shape {
        fn area(&self) -> f64;
    }
    struct Square(f64);
    struct Circle(f64);
    impl Shape for Square {
        fn area(&self) -> f64 {
            self.0 * self.0
        }
    }
    impl Shape for Circle {
        fn area(&self) -> f64 {
            self.0 * self.0 * 3.0
        }
    }
    let mut shapes: Vec<Box<dyn Shape>> = Vec::new();
    for n in 1..=black_box(4) {
        if n % 2 == 0 { shapes.push(Box::new(Square(n as f64))) } else { shapes.push(Box::new(Circle(n as f64))) }
    }
    shapes.sort_by(|a, b| b.area().total_cmp(&a.area()));
    let areas: Vec<String> = shapes.iter().map(|shape| shape.area().to_string()).collect();
    report.same("dynamic", areas.join(" "), "27 16 4 3");
}
