//! Arithmetic for `$((...))` and the `math` builtin: f64, infix or Polish notation.
//!
//! | binds    | operators                 |                                    |
//! |----------|---------------------------|------------------------------------|
//! | weakest  | `== !=`                   | 1 or 0                             |
//! |          | `< <= > >=`               | 1 or 0                             |
//! |          | `\|`, then `^`, then `&`  | whole numbers within ±(2^53 - 1)   |
//! |          | `<< >>`                   | whole number by 0 to 1023          |
//! |          | `+ -`                     |                                    |
//! |          | `* / %`                   | `%` has the sign of its left side  |
//! |          | `+ - ~` before a value    |                                    |
//! | tightest | `**`                      | to the right: `2**3**2` is `2**9`  |
//!
//! In Polish notation every operator stands before its two operands: `+ * 2 3 1`. A minus
//! sign that touches a number belongs to the number. What can be read as infix is infix: `- 3`.
//!
//! Every input has a defined result: a finite number or an error with the column (characters, from
//! 1) where it was noticed. No result is infinite or undefined: division by zero, overflow and
//! the like are errors. The time is linear in the length of the input, the stack is bounded.

use std::{collections::BTreeMap, fmt};

/// Longest input in bytes.
pub const MAX_INPUT: usize = 1 << 20;
/// How deep parentheses, signs, powers and Polish operators may be nested.
pub const MAX_DEPTH: usize = 200;
/// Up to here every whole number is an f64 of its own, which bit operations rely on.
const MAX_WHOLE: f64 = 9_007_199_254_740_991.0;

/// Why there is no result.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The input ends where a value is missing.
    UnexpectedEnd,
    /// Something else was expected than this.
    Unexpected(String),
    /// Not part of any expression.
    BadCharacter(char),
    /// Begins like a number and is none.
    BadNumber(String),
    /// No variable and no constant.
    UnknownName(String),
    /// A function that is not known.
    UnknownFunction(String),
    /// A function with a wrong number of arguments: name, wanted, given.
    Arguments(String, usize, usize),
    /// `/` or `%` by zero.
    DivisionByZero,
    /// The result is no finite number any more.
    Overflow,
    /// The result is no real number: the root of -1.
    Undefined,
    /// Bits of what is no whole number, or one that is too large.
    NotWhole,
    /// A shift by less than 0 or more than 1023.
    BadShift,
    /// More than [`MAX_DEPTH`] levels.
    TooDeep,
    /// More than [`MAX_INPUT`] bytes.
    TooLong,
}

/// A [`Reason`] and where.
#[derive(Clone, Debug, PartialEq)]
pub struct CalcError {
    /// The character, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: Reason,
}

impl CalcError {
    /// Whether the input is no expression, as opposed to one without a result.
    fn is_syntax(&self) -> bool {
        use Reason::*;
        matches!(
            self.reason,
            UnexpectedEnd
                | Unexpected(_)
                | BadCharacter(_)
                | BadNumber(_)
                | UnknownName(_)
                | UnknownFunction(_)
                | Arguments(..)
        )
    }
}

impl fmt::Display for CalcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Reason::*;
        write!(f, "column {}: ", self.column)?;
        match &self.reason {
            UnexpectedEnd => write!(f, "a value is missing"),
            Unexpected(what) => write!(f, "unexpected '{}'", what),
            BadCharacter(c) => write!(f, "unexpected character {:?}", c),
            BadNumber(text) => write!(f, "'{}' is not a number", text),
            UnknownName(name) => write!(f, "unknown variable '{}'", name),
            UnknownFunction(name) => write!(f, "unknown function '{}'", name),
            Arguments(name, want, got) => write!(f, "{} takes {} argument(s), not {}", name, want, got),
            DivisionByZero => write!(f, "division by zero"),
            Overflow => write!(f, "the result is too large"),
            Undefined => write!(f, "the result is not a real number"),
            NotWhole => write!(f, "bit operations need whole numbers of at most 53 bits"),
            BadShift => write!(f, "a shift goes from 0 to 1023"),
            TooDeep => write!(f, "nested more than {} levels deep", MAX_DEPTH),
            TooLong => write!(f, "longer than {} bytes", MAX_INPUT),
        }
    }
}

impl std::error::Error for CalcError {}

/// A finite number. Its text has 15 significant digits, so that 0.1 + 0.2 reads 0.3; whole numbers
/// below 1e21 have all of theirs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value(pub f64);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        if v == 0.0 {
            return write!(f, "0"); // also for -0
        }
        if v == v.trunc() && v.abs() < 1e21 {
            return write!(f, "{:.0}", v);
        }
        let short: f64 = format!("{:.14e}", v).parse().unwrap_or(v);
        if (1e-6..1e21).contains(&short.abs()) {
            write!(f, "{}", short)
        } else {
            write!(f, "{:e}", short)
        }
    }
}

/// The names an expression can use beside the constants.
#[derive(Default)]
pub struct Environment<'a> {
    values: BTreeMap<String, f64>,
    outer: Option<&'a dyn Fn(&str) -> Option<f64>>,
}

impl<'a> Environment<'a> {
    /// Names that are not set here are looked up by `outer`.
    pub fn with(outer: &'a dyn Fn(&str) -> Option<f64>) -> Self {
        Environment { values: BTreeMap::new(), outer: Some(outer) }
    }

    /// Gives a variable a value.
    pub fn set(&mut self, name: &str, value: f64) { self.values.insert(name.into(), value); }

    fn get(&self, name: &str) -> Option<f64> {
        self.values
            .get(name)
            .copied()
            .or_else(|| self.outer.and_then(|outer| outer(name)))
            .or_else(|| constant(name))
    }
}

fn constant(name: &str) -> Option<f64> {
    use std::f64::consts;
    Some(match name {
        "pi" => consts::PI,
        "tau" => 2.0 * consts::PI,
        "e" => consts::E,
        _ => return None,
    })
}

#[derive(Clone, Copy)]
enum Function {
    One(fn(f64) -> f64),
    Two(fn(f64, f64) -> f64),
}

fn function(name: &str) -> Option<Function> {
    use Function::*;
    Some(match name {
        "abs" => One(f64::abs),
        "acos" => One(f64::acos),
        "acosh" => One(f64::acosh),
        "asin" => One(f64::asin),
        "asinh" => One(f64::asinh),
        "atan" => One(f64::atan),
        "atanh" => One(f64::atanh),
        "cbrt" => One(f64::cbrt),
        "ceil" => One(f64::ceil),
        "cos" => One(f64::cos),
        "cosh" => One(f64::cosh),
        "deg" => One(f64::to_degrees),
        "exp" => One(f64::exp),
        "floor" => One(f64::floor),
        "ln" => One(f64::ln),
        "log" => One(f64::log10),
        "log2" => One(f64::log2),
        "rad" => One(f64::to_radians),
        "round" => One(f64::round),
        "sin" => One(f64::sin),
        "sinh" => One(f64::sinh),
        "sqrt" => One(f64::sqrt),
        "tan" => One(f64::tan),
        "tanh" => One(f64::tanh),
        "trunc" => One(f64::trunc),
        "atan2" => Two(f64::atan2),
        "hypot" => Two(f64::hypot),
        "max" => Two(f64::max),
        "min" => Two(f64::min),
        "pow" => Two(f64::powf),
        _ => return None,
    })
}

impl Function {
    fn arity(self) -> usize {
        match self {
            Function::One(_) => 1,
            Function::Two(_) => 2,
        }
    }

    fn call(self, arguments: &[f64]) -> Result<f64, Reason> {
        finite(match self {
            Function::One(f) => f(arguments[0]),
            Function::Two(f) => f(arguments[0], arguments[1]),
        })
    }
}

fn finite(v: f64) -> Result<f64, Reason> {
    if v.is_nan() {
        Err(Reason::Undefined)
    } else if v.is_infinite() {
        Err(Reason::Overflow)
    } else {
        Ok(v)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Or,
    Xor,
    And,
    Left,
    Right,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

use Operator::*;

/// Longer operators before those they begin with.
const OPERATORS: &[(&str, Operator)] = &[
    ("==", Equal),
    ("!=", NotEqual),
    ("<=", LessEqual),
    (">=", GreaterEqual),
    ("<<", Left),
    (">>", Right),
    ("**", Power),
    ("<", Less),
    (">", Greater),
    ("|", Or),
    ("^", Xor),
    ("&", And),
    ("+", Add),
    ("-", Subtract),
    ("*", Multiply),
    ("/", Divide),
    ("%", Remainder),
];

/// How tight signs bind: between `*` and `**`.
const SIGN: u8 = 9;

impl Operator {
    fn precedence(self) -> u8 {
        match self {
            Equal | NotEqual => 1,
            Less | LessEqual | Greater | GreaterEqual => 2,
            Or => 3,
            Xor => 4,
            And => 5,
            Left | Right => 6,
            Add | Subtract => 7,
            Multiply | Divide | Remainder => 8,
            Power => 10,
        }
    }

    fn text(self) -> &'static str {
        OPERATORS.iter().find(|(_, op)| *op == self).map_or("", |(text, _)| text)
    }

    fn apply(self, a: f64, b: f64) -> Result<f64, Reason> {
        let truth = |b: bool| Ok(if b { 1.0 } else { 0.0 });
        match self {
            Equal => truth(a == b),
            NotEqual => truth(a != b),
            Less => truth(a < b),
            LessEqual => truth(a <= b),
            Greater => truth(a > b),
            GreaterEqual => truth(a >= b),
            Or => Ok((whole(a)? | whole(b)?) as f64),
            Xor => Ok((whole(a)? ^ whole(b)?) as f64),
            And => Ok((whole(a)? & whole(b)?) as f64),
            Left => finite(whole(a)? as f64 * 2f64.powi(shift(b)?)),
            Right => Ok((whole(a)? as f64 / 2f64.powi(shift(b)?)).floor()),
            Divide | Remainder if b == 0.0 => Err(Reason::DivisionByZero),
            Add => finite(a + b),
            Subtract => finite(a - b),
            Multiply => finite(a * b),
            Divide => finite(a / b),
            Remainder => finite(a % b),
            // 0 to a negative power is a division by zero as well.
            Power if a == 0.0 && b < 0.0 => Err(Reason::DivisionByZero),
            Power => finite(a.powf(b)),
        }
    }
}

fn whole(v: f64) -> Result<i64, Reason> {
    if v == v.trunc() && v.abs() <= MAX_WHOLE {
        Ok(v as i64)
    } else {
        Err(Reason::NotWhole)
    }
}

fn complement(v: f64) -> Result<f64, Reason> { Ok(!whole(v)? as f64) }

fn shift(v: f64) -> Result<i32, Reason> {
    if v == v.trunc() && (0.0..=1023.0).contains(&v) {
        Ok(v as i32)
    } else {
        Err(Reason::BadShift)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token<'a> {
    Number(f64),
    Name(&'a str),
    Operator(Operator),
    Not,
    Open,
    Close,
    Comma,
    Assign,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Number(v) => Value(*v).fmt(f),
            Token::Name(name) => f.write_str(name),
            Token::Operator(op) => f.write_str(op.text()),
            Token::Not => f.write_str("~"),
            Token::Open => f.write_str("("),
            Token::Close => f.write_str(")"),
            Token::Comma => f.write_str(","),
            Token::Assign => f.write_str("="),
        }
    }
}

/// A failure at a byte of the input.
type Fault = (usize, Reason);

/// The tokens of an input, each with the byte it begins at.
fn tokens(input: &str) -> Result<Vec<(usize, Token<'_>)>, Fault> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = input[at..].chars().next() {
        let rest = &input[at..];
        let (token, len) = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            number(rest).map_err(|reason| (at, reason))?
        } else if c.is_alphabetic() || c == '_' || c == '$' {
            // A dollar sign is how the shell spells a variable.
            let dollar = usize::from(c == '$');
            let len = rest[dollar..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(rest.len(), |n| n + dollar);
            if len == dollar {
                return Err((at, Reason::BadCharacter(c)));
            }
            (Token::Name(&rest[dollar..len]), len)
        } else if let Some((text, op)) = OPERATORS.iter().find(|(text, _)| rest.starts_with(text)) {
            (Token::Operator(*op), text.len())
        } else {
            let token = match c {
                '~' => Token::Not,
                '(' => Token::Open,
                ')' => Token::Close,
                ',' => Token::Comma,
                '=' => Token::Assign,
                _ => return Err((at, Reason::BadCharacter(c))),
            };
            (token, 1)
        };
        out.push((at, token));
        at += len;
    }
    Ok(out)
}

/// The number that a text begins with: 1, 1.5, .5, 1e9, 0x1f, 0o17, 0b101.
fn number(text: &str) -> Result<(Token<'_>, usize), Reason> {
    let mut before = ' ';
    let len = text
        .find(|c: char| {
            let sign_of_exponent = (c == '+' || c == '-') && (before == 'e' || before == 'E') && !text.starts_with("0x");
            before = c;
            !(c.is_alphanumeric() || c == '.' || c == '_' || sign_of_exponent)
        })
        .unwrap_or(text.len());
    let word = &text[..len];
    let radix = match word.get(..2) {
        Some("0x") | Some("0X") => 16,
        Some("0o") | Some("0O") => 8,
        Some("0b") | Some("0B") => 2,
        _ => 10,
    };
    let value = if radix == 10 {
        // Rust also reads words such as "inf" and "nan", but they begin with no digit.
        word.parse::<f64>().ok()
    } else {
        digits(&word[2..], radix)
    };
    match value {
        Some(v) if v.is_finite() => Ok((Token::Number(v), len)),
        Some(_) => Err(Reason::Overflow),
        None => Err(Reason::BadNumber(word.into())),
    }
}

fn digits(text: &str, radix: u32) -> Option<f64> {
    if text.is_empty() {
        return None;
    }
    text.chars().try_fold(0.0, |v, c| Some(v * f64::from(radix) + f64::from(c.to_digit(radix)?)))
}

struct Parser<'t, 'e> {
    tokens: &'t [(usize, Token<'t>)],
    next: usize,
    end: usize,
    depth: usize,
    env: &'e Environment<'e>,
    /// The first operation without a result. Reading goes on: whether the input is an expression at all
    /// comes first.
    fault: Option<Fault>,
}

impl<'t> Parser<'t, '_> {
    fn peek(&self) -> Option<&'t Token<'t>> { self.tokens.get(self.next).map(|(_, token)| token) }

    fn at(&self) -> usize { self.tokens.get(self.next).map_or(self.end, |(at, _)| *at) }

    fn fail<T>(&self, reason: Reason) -> Result<T, Fault> { Err((self.at(), reason)) }

    fn unexpected<T>(&self) -> Result<T, Fault> {
        match self.peek() {
            Some(token) => self.fail(Reason::Unexpected(token.to_string())),
            None => self.fail(Reason::UnexpectedEnd),
        }
    }

    fn expect(&mut self, token: &Token<'_>) -> Result<(), Fault> {
        if self.peek() != Some(token) {
            return self.unexpected();
        }
        self.next += 1;
        Ok(())
    }

    /// Runs a part one level deeper.
    fn deeper(&mut self, part: impl FnOnce(&mut Self) -> Result<f64, Fault>) -> Result<f64, Fault> {
        if self.depth == MAX_DEPTH {
            return self.fail(Reason::TooDeep);
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    fn whole(mut self, part: impl FnOnce(&mut Self) -> Result<f64, Fault>) -> Result<f64, Fault> {
        let value = part(&mut self)?;
        if self.next < self.tokens.len() {
            return self.unexpected();
        }
        self.fault.map_or(Ok(value), Err)
    }

    /// The result of an operation, or any number when there is none.
    fn evaluated(&mut self, at: usize, result: Result<f64, Reason>) -> f64 {
        result.unwrap_or_else(|reason| {
            self.fault.get_or_insert((at, reason));
            0.0
        })
    }

    /// Operators that bind at least as tight as `weakest`, from the left.
    fn infix(&mut self, weakest: u8) -> Result<f64, Fault> {
        let mut left = self.signed()?;
        while let Some(Token::Operator(op)) = self.peek() {
            if op.precedence() < weakest {
                break;
            }
            let at = self.at();
            self.next += 1;
            let right = self.deeper(|p| p.infix(op.precedence() + 1))?;
            left = self.evaluated(at, op.apply(left, right));
        }
        Ok(left)
    }

    /// A value with signs before it; `-2**2` is `-(2**2)`.
    fn signed(&mut self) -> Result<f64, Fault> {
        let token = self.peek();
        match token {
            Some(Token::Operator(Add)) | Some(Token::Operator(Subtract)) | Some(Token::Not) => (),
            _ => return self.power(),
        }
        let at = self.at();
        self.next += 1;
        let value = self.deeper(|p| p.infix(SIGN))?;
        match token {
            Some(Token::Operator(Add)) => Ok(value),
            Some(Token::Operator(_)) => Ok(-value),
            _ => Ok(self.evaluated(at, complement(value))),
        }
    }

    fn power(&mut self) -> Result<f64, Fault> {
        let base = self.primary()?;
        if self.peek() != Some(&Token::Operator(Power)) {
            return Ok(base);
        }
        let at = self.at();
        self.next += 1;
        let exponent = self.deeper(|p| p.signed())?;
        Ok(self.evaluated(at, Power.apply(base, exponent)))
    }

    fn primary(&mut self) -> Result<f64, Fault> {
        match self.peek() {
            Some(Token::Number(v)) => {
                self.next += 1;
                Ok(*v)
            }
            Some(Token::Open) => {
                self.next += 1;
                let value = self.deeper(|p| p.infix(1))?;
                self.expect(&Token::Close)?;
                Ok(value)
            }
            Some(Token::Name(name)) => {
                let is_call = matches!(self.tokens.get(self.next + 1), Some((_, Token::Open)));
                if is_call {
                    return self.call(name);
                }
                self.variable(name)
            }
            _ => self.unexpected(),
        }
    }

    fn variable(&mut self, name: &str) -> Result<f64, Fault> {
        match self.env.get(name) {
            Some(v) => {
                let at = self.at();
                self.next += 1;
                Ok(self.evaluated(at, finite(v)))
            }
            None => self.fail(Reason::UnknownName(name.into())),
        }
    }

    /// name ( argument, ... )
    fn call(&mut self, name: &str) -> Result<f64, Fault> {
        let at = self.at();
        let function = function(name).ok_or_else(|| (at, Reason::UnknownFunction(name.into())))?;
        self.next += 2;
        let mut arguments = [0.0; 2];
        let mut given = 0;
        if self.peek() != Some(&Token::Close) {
            loop {
                let value = self.deeper(|p| p.infix(1))?;
                if given < arguments.len() {
                    arguments[given] = value;
                }
                given += 1;
                if self.peek() != Some(&Token::Comma) {
                    break;
                }
                self.next += 1;
            }
        }
        self.expect(&Token::Close)?;
        if given != function.arity() {
            return Err((at, Reason::Arguments(name.into(), function.arity(), given)));
        }
        Ok(self.evaluated(at, function.call(&arguments)))
    }

    /// An operator or function and what it is applied to, a number or a name.
    fn polish(&mut self) -> Result<f64, Fault> {
        let at = self.at();
        match self.peek() {
            Some(Token::Operator(Subtract)) if self.touches_number() => {
                self.next += 2;
                match self.tokens[self.next - 1].1 {
                    Token::Number(v) => Ok(-v),
                    _ => self.unexpected(),
                }
            }
            Some(Token::Operator(op)) => {
                self.next += 1;
                let left = self.deeper(|p| p.polish())?;
                let right = self.deeper(|p| p.polish())?;
                Ok(self.evaluated(at, op.apply(left, right)))
            }
            Some(Token::Not) => {
                self.next += 1;
                let value = self.deeper(|p| p.polish())?;
                Ok(self.evaluated(at, complement(value)))
            }
            Some(Token::Name(name)) if self.env.get(name).is_none() && function(name).is_some() => {
                let function = function(name).unwrap_or(Function::One(f64::abs));
                self.next += 1;
                let mut arguments = [0.0; 2];
                for argument in &mut arguments[..function.arity()] {
                    *argument = self.deeper(|p| p.polish())?;
                }
                Ok(self.evaluated(at, function.call(&arguments)))
            }
            _ => self.primary(),
        }
    }

    fn touches_number(&self) -> bool {
        match self.tokens.get(self.next + 1) {
            Some((at, Token::Number(_))) => *at == self.at() + 1,
            _ => false,
        }
    }
}

/// Evaluates an expression in infix notation, or else in Polish notation, with the constants only.
pub fn eval(input: &str) -> Result<Value, CalcError> { eval_with(input, &mut Environment::default()) }

/// Evaluates an expression, or `name = expression`, which also sets the variable.
pub fn eval_with(input: &str, env: &mut Environment<'_>) -> Result<Value, CalcError> {
    if input.len() > MAX_INPUT {
        return Err(CalcError { column: 1, reason: Reason::TooLong });
    }
    let located = |(at, reason): Fault| CalcError { column: input[..at].chars().count() + 1, reason };
    let tokens = tokens(input).map_err(located)?;
    let (name, body) = match tokens.as_slice() {
        [(_, Token::Name(name)), (_, Token::Assign), body @ ..] => (Some(*name), body),
        all => (None, all),
    };
    let value = evaluate(body, input.len(), env, located)?;
    if let Some(name) = name {
        env.set(name, value);
    }
    Ok(Value(value))
}

fn evaluate(
    tokens: &[(usize, Token<'_>)],
    end: usize,
    env: &Environment<'_>,
    located: impl Fn(Fault) -> CalcError + Copy,
) -> Result<f64, CalcError> {
    let parser = || Parser { tokens, next: 0, end, depth: 0, env, fault: None };
    let infix = match parser().whole(|p| p.infix(1)).map_err(located) {
        Err(err) if err.is_syntax() => err,
        done => return done,
    };
    let may_be_polish = match tokens {
        [(_, Token::Name(_)), (_, Token::Open), ..] => false,
        [(_, Token::Name(name)), ..] => function(name).is_some(),
        [(_, Token::Operator(_)), ..] | [(_, Token::Not), ..] => true,
        _ => false,
    };
    if !may_be_polish {
        return Err(infix);
    }
    // What is wrong in both notations is told by the one that got further.
    match parser().whole(|p| p.polish()).map_err(located) {
        Err(polish) if polish.is_syntax() && polish.column <= infix.column => Err(infix),
        done => done,
    }
}
