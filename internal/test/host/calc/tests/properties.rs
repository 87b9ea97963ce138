//! Random expressions against a reference that has no parser: it evaluates the tree that the text was
//! written from. The random numbers are the same in every run; CALC_SEED chooses others.

use calc::{eval, Reason};
use std::fmt::Write;

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize { (self.next() >> 33) as usize % n }
}

fn random() -> Random { Random(std::env::var("CALC_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20261123)) }

enum Tree {
    Number(f64),
    Sign(char, Box<Tree>),
    Binary(&'static str, Box<Tree>, Box<Tree>),
    Call(&'static str, Vec<Tree>),
}

/// Operator and how tight it binds; 9 are the signs.
const BINARY: &[(&str, u8)] = &[
    ("==", 1), ("!=", 1), ("<", 2), ("<=", 2), (">", 2), (">=", 2), ("|", 3), ("^", 4), ("&", 5), ("<<", 6), (">>", 6),
    ("+", 7), ("-", 7), ("*", 8), ("/", 8), ("%", 8), ("**", 10),
];
const CALLS: &[(&str, usize)] = &[("abs", 1), ("sqrt", 1), ("floor", 1), ("ln", 1), ("max", 2), ("min", 2), ("pow", 2)];

fn tree(r: &mut Random, depth: usize) -> Tree {
    let boxed = |r: &mut Random| Box::new(tree(r, depth - 1));
    match if depth == 0 { 0 } else { r.below(10) } {
        0 | 1 => Tree::Number(match r.below(4) {
            0 => 0.0,
            1 => r.below(1000) as f64 / 8.0,
            2 => r.next() as f64,
            _ => r.below(20) as f64,
        }),
        2 => Tree::Sign(['-', '+', '~'][r.below(3)], boxed(r)),
        3 => {
            let (name, arity) = CALLS[r.below(CALLS.len())];
            Tree::Call(name, (0..arity).map(|_| tree(r, depth - 1)).collect())
        }
        _ => Tree::Binary(BINARY[r.below(BINARY.len())].0, boxed(r), boxed(r)),
    }
}

fn finite(v: f64) -> Result<f64, Reason> {
    match v {
        v if v.is_nan() => Err(Reason::Undefined),
        v if v.is_infinite() => Err(Reason::Overflow),
        v => Ok(v),
    }
}

fn int(v: f64) -> Result<i128, Reason> {
    if v.fract() == 0.0 && v.abs() < 9007199254740992.0 { Ok(v as i128) } else { Err(Reason::NotWhole) }
}

fn count(v: f64) -> Result<u32, Reason> {
    if v.fract() == 0.0 && v >= 0.0 && v < 1024.0 { Ok(v as u32) } else { Err(Reason::BadShift) }
}

fn reference(t: &Tree) -> Result<f64, Reason> {
    match t {
        Tree::Number(v) => Ok(*v),
        Tree::Sign('-', t) => Ok(-reference(t)?),
        Tree::Sign('+', t) => reference(t),
        Tree::Sign(_, t) => Ok((-1 - int(reference(t)?)?) as f64),
        Tree::Call(name, arguments) => {
            let a = arguments.iter().map(reference).collect::<Result<Vec<_>, _>>()?;
            finite(match *name {
                "abs" => a[0].abs(),
                "sqrt" => a[0].sqrt(),
                "floor" => a[0].floor(),
                "ln" => a[0].ln(),
                "max" => a[0].max(a[1]),
                "min" => a[0].min(a[1]),
                _ => a[0].powf(a[1]),
            })
        }
        Tree::Binary(op, a, b) => {
            let (a, b) = (reference(a)?, reference(b)?);
            let whether = |b| Ok(f64::from(u8::from(b)));
            match *op {
                "==" => whether(a == b),
                "!=" => whether(a != b),
                "<" => whether(a < b),
                "<=" => whether(a <= b),
                ">" => whether(a > b),
                ">=" => whether(a >= b),
                "|" => Ok((int(a)? | int(b)?) as f64),
                "^" => Ok((int(a)? ^ int(b)?) as f64),
                "&" => Ok((int(a)? & int(b)?) as f64),
                "<<" => {
                    let (mut v, n) = (int(a)? as f64, count(b)?);
                    (0..n).for_each(|_| v *= 2.0);
                    finite(v)
                }
                ">>" => {
                    let (v, n) = (int(a)?, count(b)?);
                    Ok((v >> n.min(100)) as f64)
                }
                "/" | "%" if b == 0.0 => Err(Reason::DivisionByZero),
                "**" if a == 0.0 && b < 0.0 => Err(Reason::DivisionByZero),
                "+" => finite(a + b),
                "-" => finite(a - b),
                "*" => finite(a * b),
                "/" => finite(a / b),
                "%" => finite(a % b),
                _ => finite(a.powf(b)),
            }
        }
    }
}

fn binds(t: &Tree) -> u8 {
    match t {
        Tree::Binary(op, ..) => BINARY.iter().find(|(o, _)| o == op).unwrap().1,
        Tree::Sign(..) => 9,
        _ => 11,
    }
}

/// The tree as infix text with the parentheses it needs, and some more at random.
fn infix(t: &Tree, weakest: u8, r: &mut Random, out: &mut String) {
    let parentheses = binds(t) < weakest || r.below(8) == 0;
    if parentheses {
        out.push('(');
    }
    space(r, out);
    match t {
        Tree::Number(v) => write!(out, "{}", v).unwrap(),
        Tree::Sign(c, t) => {
            out.push(*c);
            infix(t, 9, r, out);
        }
        // To the right of ** a sign needs no parentheses; ** goes to the right.
        Tree::Binary("**", a, b) => {
            infix(a, 11, r, out);
            out.push_str("**");
            infix(b, 9, r, out);
        }
        Tree::Binary(op, a, b) => {
            infix(a, binds(t), r, out);
            space(r, out);
            out.push_str(op);
            space(r, out);
            infix(b, binds(t) + 1, r, out);
        }
        Tree::Call(name, arguments) => {
            out.push_str(name);
            for (i, a) in arguments.iter().enumerate() {
                out.push(if i == 0 { '(' } else { ',' });
                infix(a, 0, r, out);
            }
            out.push(')');
        }
    }
    space(r, out);
    if parentheses {
        out.push(')');
    }
}

fn space(r: &mut Random, out: &mut String) {
    if r.below(3) == 0 {
        out.push(' ');
    }
}

/// The tree as Polish text, None when it has a sign that this notation cannot write.
fn polish(t: &Tree, out: &mut String) -> Option<()> {
    match t {
        Tree::Number(v) => write!(out, "{} ", v).unwrap(),
        Tree::Sign('-', t) => match **t {
            Tree::Number(v) => write!(out, "-{} ", v).unwrap(),
            _ => return None,
        },
        Tree::Sign('~', t) => {
            out.push_str("~ ");
            polish(t, out)?;
        }
        Tree::Sign(..) => return None,
        Tree::Binary(op, a, b) => {
            write!(out, "{} ", op).unwrap();
            polish(a, out)?;
            polish(b, out)?;
        }
        Tree::Call(name, arguments) => {
            write!(out, "{} ", name).unwrap();
            for a in arguments {
                polish(a, out)?;
            }
        }
    }
    Some(())
}

/// The same number or the same reason. Two errors in one expression are found in the order of the text, which
/// is that of the reference as well.
fn same(text: &str, want: &Result<f64, Reason>) {
    let got = eval(text).map(|v| v.0).map_err(|e| e.reason);
    let equal = match (&got, want) {
        (Ok(a), Ok(b)) => a == b,
        (Err(a), Err(b)) => a == b,
        _ => false,
    };
    assert!(equal, "{}\n got  {:?}\n want {:?}", text, got, want);
}

#[test]
fn infix_agrees_with_the_reference() {
    let mut r = random();
    let (mut numbers, mut errors) = (0, 0);
    for _ in 0..100_000 {
        let depth = 1 + r.below(6);
        let t = tree(&mut r, depth);
        let want = reference(&t);
        let mut text = String::new();
        infix(&t, 0, &mut r, &mut text);
        same(&text, &want);
        if want.is_ok() { numbers += 1 } else { errors += 1 }
    }
    assert!(numbers > 20_000 && errors > 5_000, "{} numbers, {} errors: the test is lopsided", numbers, errors);
}

#[test]
fn polish_agrees_with_the_reference() {
    let mut r = random();
    let mut seen = 0;
    for _ in 0..100_000 {
        let depth = 1 + r.below(6);
        let t = tree(&mut r, depth);
        let mut text = String::new();
        // A single number or sign is infix already, and `- 1` reads as a sign there.
        if !matches!(t, Tree::Binary(..)) || polish(&t, &mut text).is_none() {
            continue;
        }
        // `- 8 -3` is 11 as Polish and -11 as infix, and what can be infix is.
        let sign_first = text.starts_with(&['+', '-'][..]);
        if sign_first && text.as_bytes().windows(3).any(|w| w[..2] == *b" -" && w[2] != b' ') {
            continue;
        }
        same(&text, &reference(&t));
        seen += 1;
    }
    assert!(seen > 10_000, "only {} expressions", seen);
}

#[test]
fn any_text_has_a_result() {
    let mut r = random();
    let pieces = ["1", "2.5", "(", ")", "+", "-", "*", "/", "%", "**", "~", "<<", "==", "=", ",", "sqrt", "x", "ä", "$", " ", "0x", ".", "1e", "\u{1f980}"];
    for _ in 0..100_000 {
        let text: String = (0..r.below(30)).map(|_| pieces[r.below(pieces.len())]).collect();
        match eval(&text) {
            Ok(v) => assert!(v.0.is_finite(), "{}", text),
            Err(e) => assert!(e.column <= text.chars().count() + 1, "{}: {}", text, e),
        }
    }
}

#[test]
fn a_shown_number_reads_back() {
    let mut r = random();
    for _ in 0..100_000 {
        let v = f64::from_bits(r.next());
        if !v.is_finite() {
            continue;
        }
        let shown = calc::Value(v).to_string();
        let back = eval(&shown).unwrap().0;
        assert!((back - v).abs() <= v.abs() * 1e-14, "{:e} is shown as {}", v, shown);
    }
}
