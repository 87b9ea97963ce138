//! `sigtest` is sent signals and says whether each has come, and what it has left in the registers.

use std::arch::global_asm;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, thread};

const SIGUSR1: i32 = 10;
/// The first is not enough: it may have been the last.
const ROUNDS: u32 = 5;
/// How often the registers are looked at.
const LOOKS: u32 = 50;

unsafe extern "C" {
    safe fn getpid() -> i32;
    safe fn kill(pid: i32, signal: i32) -> i32;
    safe fn raise(signal: i32) -> i32;
    safe fn signal(signal: i32, handler: extern "C" fn(i32)) -> usize;

    /// Fills x0 to x17 and the floating-point registers, waits until the counter changes, and stores what is in them then.
    fn registers_around(counter: *const AtomicU32, registers: *mut Registers);
}

/// x0 to x17, both halves of q0 to q7 and of q16 to q31. Register n has 100 + n, or 200 + n in each half.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Registers {
    x: [u64; 18],
    q: [[u64; 2]; 24],
}

global_asm!(
    ".global registers_around",
    "registers_around:",
    "stp x19, x20, [sp, #-32]!",
    "stp x21, x22, [sp, #16]",
    "mov x19, x0",
    "mov x20, x1",
    "ldr w21, [x19]",
    ".irp n, 0,1,2,3,4,5,6,7,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "mov x0, #(200 + \\n)",
    "dup v\\n\\().2d, x0",
    ".endr",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
    "mov x\\n, #(100 + \\n)",
    ".endr",
    "2: ldr w22, [x19]",
    "cmp w22, w21",
    "b.eq 2b",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
    "str x\\n, [x20], #8",
    ".endr",
    ".irp n, 0,1,2,3,4,5,6,7,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "str q\\n, [x20], #16",
    ".endr",
    "ldp x21, x22, [sp, #16]",
    "ldp x19, x20, [sp], #32",
    "ret",
);

static SEEN: AtomicU32 = AtomicU32::new(0);

/// Uses floating point, as any handler may.
extern "C" fn handler(_signal: i32) {
    let seen = SEEN.load(Ordering::SeqCst);
    let root = std::hint::black_box(f64::from(seen)).sqrt();
    SEEN.store(seen + 1 + u32::from(root.is_nan()), Ordering::SeqCst);
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, sender, pid] = &arguments[..] {
        assert_eq!(sender, "send");
        return send(pid.parse().expect("a process"));
    }
    signal(SIGUSR1, handler);
    let results = [
        registers(&arguments[0]),
        counted("kill", || kill(getpid(), SIGUSR1)),
        counted("raise", || raise(SIGUSR1)),
        counted("kill after raise", || kill(getpid(), SIGUSR1)),
    ];
    process::exit(i32::from(results.contains(&false)));
}

/// The signal comes as often as it is sent, each before the call returns.
fn counted(what: &str, mut one: impl FnMut() -> i32) -> bool {
    let before = SEEN.load(Ordering::SeqCst);
    for _ in 0..ROUNDS {
        if one() != 0 {
            println!("SIGNAL failed: {what}: {}", std::io::Error::last_os_error());
            return false;
        }
    }
    let came = SEEN.load(Ordering::SeqCst) - before;
    say(what, came == ROUNDS, format!("{came} of {ROUNDS} came"))
}

fn say(what: &str, good: bool, more: String) -> bool {
    println!("SIGNAL {}: {what}: {more}", if good { "ok" } else { "wrong" });
    good
}

/// Signals of another process come in the middle of anything.
fn registers(myself: &str) -> bool {
    let mut sender = Command::new(myself).arg("send").arg(getpid().to_string()).spawn().expect("a second process");
    let mut wrong = Vec::new();
    for _ in 0..LOOKS {
        let mut found = Registers { x: [0; 18], q: [[0; 2]; 24] };
        // SAFETY: it writes as many registers as there is room for, and keeps to the C ABI.
        unsafe { registers_around(&SEEN, &mut found) };
        wrong.extend(differing(&found));
    }
    let _ = sender.kill();
    let _ = sender.wait();
    wrong.sort();
    wrong.dedup();
    say("registers", wrong.is_empty(), format!("{LOOKS} times looked at, not kept: {wrong:?}"))
}

fn differing(found: &Registers) -> Vec<String> {
    let general = (0..18).filter(|&n| found.x[n] != 100 + n as u64).map(|n| format!("x{n}"));
    let number = |i: usize| if i < 8 { i } else { i + 8 };
    let vector = (0..24).filter(|&i| found.q[i] != [200 + number(i) as u64; 2]).map(|i| format!("q{}", number(i)));
    general.chain(vector).collect()
}

/// Until the other one is gone.
fn send(pid: i32) {
    while kill(pid, SIGUSR1) == 0 {
        thread::sleep(Duration::from_millis(5));
    }
}
