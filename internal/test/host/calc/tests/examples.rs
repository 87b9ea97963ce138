//! What the calculator promises, by example.

use calc::{eval, eval_with, Environment, Reason, MAX_DEPTH, MAX_INPUT};
use std::time::{Duration, Instant};

fn shown(input: &str) -> String {
    match eval(input) {
        Ok(value) => value.to_string(),
        Err(err) => err.to_string(),
    }
}

#[test]
fn results() {
    for (input, want) in [
        ("1 + 2 * 3", "7"),
        ("+ * 2 3 1", "7"),
        ("(1 + 2) * 3", "9"),
        ("1 + 3-2", "2"),
        ("0.00001 + 0.0001", "0.00011"),
        ("0.1 + 0.2", "0.3"),
        ("7 / 2", "3.5"),
        ("7 % 3", "1"),
        ("-7 % 3", "-1"),
        ("7.5 % 2", "1.5"),
        ("2 ** 10", "1024"),
        ("2 ** 3 ** 2", "512"),
        ("-2 ** 2", "-4"),
        ("2 ** -1", "0.5"),
        ("(-2) ** 2", "4"),
        ("2 ** 60", "1152921504606846976"),
        ("- 3 4", "-1"),
        ("- -3 4", "-7"),
        ("-3", "-3"),
        ("--3", "3"),
        ("+ 2 2", "4"),
        ("/ 7 2", "3.5"),
        ("sqrt 16", "4"),
        ("+ sqrt 16 max 1 2", "6"),
        ("0xff", "255"),
        ("0b101 | 0x8", "13"),
        ("0o17 & 0b110", "6"),
        ("6 ^ 3", "5"),
        ("~0", "-1"),
        ("~ 5 & 7", "2"),
        ("1 << 10", "1024"),
        ("-8 >> 1", "-4"),
        ("1 << 62", "4611686018427387904"),
        ("1 + 1 == 2", "1"),
        ("1 > 2", "0"),
        ("3 >= 3", "1"),
        ("1 != 1", "0"),
        ("1 | 2 == 3", "1"),
        ("sqrt(16) + max(1, 2)", "6"),
        ("hypot(3, 4)", "5"),
        ("round(pi * 1000)", "3142"),
        ("ln(e)", "1"),
        ("log(1000)", "3"),
        (" 1\t+\n1 ", "2"),
        ("1e3", "1000"),
        ("1e-7", "1e-7"),
        (".5 * 2", "1"),
        ("0 * -1", "0"),
    ] {
        assert_eq!(shown(input), want, "{}", input);
    }
}

#[test]
fn errors_have_their_column() {
    for (input, want) in [
        ("", "column 1: a value is missing"),
        ("1 +", "column 4: a value is missing"),
        ("1 + * 2", "column 5: unexpected '*'"),
        ("(1", "column 3: a value is missing"),
        ("1)", "column 2: unexpected ')'"),
        ("1 2", "column 3: unexpected '2'"),
        ("1 / 0", "column 3: division by zero"),
        ("1 % (2 - 2)", "column 3: division by zero"),
        ("/ 1 0", "column 1: division by zero"),
        ("0 ** -1", "column 3: division by zero"),
        ("10 ** 308 * 10", "column 11: the result is too large"),
        ("1e999", "column 1: the result is too large"),
        ("2 ** 1024", "column 3: the result is too large"),
        ("1 + sqrt(-1)", "column 5: the result is not a real number"),
        ("(-8) ** 0.5", "column 6: the result is not a real number"),
        ("1.5 & 1", "column 5: bit operations need whole numbers of at most 53 bits"),
        ("2 ** 53 | 1", "column 9: bit operations need whole numbers of at most 53 bits"),
        ("1 << 1024", "column 3: a shift goes from 0 to 1023"),
        ("1 << -1", "column 3: a shift goes from 0 to 1023"),
        ("1 << 0.5", "column 3: a shift goes from 0 to 1023"),
        ("nope + 1", "column 1: unknown variable 'nope'"),
        ("1 + nope(1)", "column 5: unknown function 'nope'"),
        ("sqrt()", "column 1: sqrt takes 1 argument(s), not 0"),
        ("max(1, 2, 3)", "column 1: max takes 2 argument(s), not 3"),
        ("1 # 2", "column 3: unexpected character '#'"),
        ("äö + 1 / 0", "column 1: unknown variable 'äö'"),
        ("1 + 'ä'", "column 5: unexpected character '\\''"),
        ("12abc", "column 1: '12abc' is not a number"),
        ("1.2.3", "column 1: '1.2.3' is not a number"),
        ("0x", "column 1: '0x' is not a number"),
        ("1 = 2", "column 3: unexpected '='"),
        ("$", "column 1: unexpected character '$'"),
    ] {
        assert_eq!(shown(input), want, "{}", input);
    }
}

#[test]
fn variables() {
    let outer = |name: &str| if name == "a" { Some(2.0) } else { None };
    let mut env = Environment::with(&outer);
    assert_eq!(eval_with("b = $a * 3", &mut env).unwrap().0, 6.0);
    assert_eq!(eval_with("a * b", &mut env).unwrap().0, 12.0);
    assert_eq!(eval_with("* a b", &mut env).unwrap().0, 12.0);
    assert!(eval_with("b = 1 / 0", &mut env).is_err());
    assert_eq!(eval_with("b", &mut env).unwrap().0, 6.0);
    // A variable hides a function of its name in Polish notation, and a constant in both.
    env.set("pi", 3.0);
    assert_eq!(eval_with("pi", &mut env).unwrap().0, 3.0);
    env.set("inf", f64::INFINITY);
    assert_eq!(eval_with("1 + inf", &mut env).unwrap_err().reason, Reason::Overflow);
}

#[test]
fn nesting_ends_with_an_error() {
    for (open, close) in [("(", ")"), ("-", ""), ("~", ""), ("sqrt(", ")"), ("2**", ""), ("+ 1 ", ""), ("(1+", ")")] {
        let nested = |n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
        let quarter = MAX_DEPTH / 4;
        let err = eval(&nested(quarter)).err().map(|e| e.reason);
        assert!(err != Some(Reason::TooDeep), "{} {} times", open, quarter);
        for n in [MAX_DEPTH + 1, 10_000, 150_000] {
            let err = eval(&nested(n)).unwrap_err();
            assert_eq!(err.reason, Reason::TooDeep, "{} {} times", open, n);
        }
    }
}

#[test]
fn a_megabyte_is_quick() {
    let terms = 1 + (MAX_INPUT - 1) / 2;
    let long = vec!["1"; terms].join("+");
    assert!(long.len() <= MAX_INPUT);
    let start = Instant::now();
    assert_eq!(eval(&long).unwrap().0, terms as f64);
    assert_eq!(eval(&"9".repeat(MAX_INPUT)).unwrap_err().reason, Reason::Overflow);
    assert_eq!(eval(&"(".repeat(MAX_INPUT)).unwrap_err().reason, Reason::TooDeep);
    assert_eq!(eval(&" ".repeat(MAX_INPUT)).unwrap_err().reason, Reason::UnexpectedEnd);
    assert_eq!(eval(&"1 ".repeat(MAX_INPUT / 2)).unwrap_err().column, 3);
    assert_eq!(eval(&" ".repeat(MAX_INPUT + 1)).unwrap_err().reason, Reason::TooLong);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
