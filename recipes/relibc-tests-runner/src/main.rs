//! `relibc-tests-runner PLAN` runs tests one after the other and prints how each ended.
//!
//! A line of PLAN is `FOLDER PROGRAM SECONDS`: the program is started in the folder with the arguments that upstream's
//! own runner gives, and killed after so many seconds. What it prints comes through pipes, as with upstream's, that are
//! read without waiting: a child that it leaves behind with them open keeps nobody. It is printed here in pieces that survive
//! a serial line on which the kernel writes as well:
//!
//!     relibc-test NUMBER begin FOLDER PROGRAM
//!     relibc-test NUMBER out BYTES TEXT       TEXT is escaped; BYTES is its length before that
//!     relibc-test NUMBER err BYTES TEXT
//!     relibc-test NUMBER took MILLISECONDS
//!     relibc-test NUMBER end exit 0           or: end signal 11, end limit, end failed REASON
//!     relibc-test all done
//!
//! NUMBER is the place in PLAN, from 1. internal/relibctest reads this.
//!
//! By the name of `ls` it lists a folder, for the test of popen: a real one would take longer to build than all tests.

use std::{
    env, fs,
    io::{self, ErrorKind, Read, Write},
    os::{
        fd::{AsRawFd, RawFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{self, Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

extern "C" {
    /// The C library's.
    fn fcntl(fd: RawFd, command: i32, ...) -> i32;
}

/// Of relibc's <fcntl.h>, for Redox.
const F_GETFL: i32 = 3;
const F_SETFL: i32 = 4;
const O_NONBLOCK: i32 = 0x0004_0000;

/// A longer output is cut; no test of upstream's comes near it.
const MOST: usize = 64 << 10;
/// Bytes of output on one line.
const PIECE: usize = 160;
/// How long a killed program may take to be gone.
const GRACE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

fn main() {
    let mut arguments = env::args();
    if arguments.next().is_some_and(|name| Path::new(&name).ends_with("ls")) {
        return list(arguments.next_back().as_deref().unwrap_or("."));
    }
    let Some(plan) = arguments.next() else {
        eprintln!("usage: relibc-tests-runner PLAN");
        process::exit(2);
    };
    let text = match fs::read_to_string(&plan) {
        Ok(text) => text,
        Err(err) => {
            eprintln!("relibc-tests-runner: {plan}: {err}");
            process::exit(1);
        }
    };
    for (number, line) in text.lines().enumerate() {
        run(number + 1, line);
    }
    say("all", "done");
}

/// One write for each line, so that none is torn apart.
fn say(number: impl std::fmt::Display, text: &str) {
    let line = format!("relibc-test {number} {text}\n");
    let mut out = io::stdout();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

fn run(number: usize, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let [folder, program, seconds] = words[..] else {
        say(number, &format!("end failed {line:?} is no line of a plan"));
        return;
    };
    say(number, &format!("begin {folder} {program}"));
    let limit = Duration::from_secs(seconds.parse().unwrap_or(10));
    let start = Instant::now();
    let mut output = Output::default();
    let ended = attempt(folder, program, limit, &mut output);
    let took = start.elapsed();
    print(number, "out", &output.out);
    print(number, "err", &output.err);
    say(number, &format!("took {}", took.as_millis()));
    say(number, &format!("end {}", ended.unwrap_or_else(|err| format!("failed {err}"))));
}

#[derive(Default)]
struct Output {
    out: Vec<u8>,
    err: Vec<u8>,
}

fn attempt(folder: &str, program: &str, limit: Duration, output: &mut Output) -> io::Result<String> {
    let mut child = Command::new(format!("./{program}"))
        .args(["test", "args"])
        .current_dir(folder)
        .env_clear()
        .envs([("PATH", "/usr/bin"), ("HOME", "/root"), ("USER", "root"), ("SHELL", "/usr/bin/ion")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A test that signals its process group must not reach init.
        .process_group(0)
        .spawn()?;
    if let Some(status) = wait(&mut child, limit, output)? {
        return Ok(match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            _ => format!("failed {status}"),
        });
    }
    child.kill()?;
    Ok(match wait(&mut child, GRACE, output)? {
        Some(_) => "limit".into(),
        None => "limit, and it cannot be killed".into(),
    })
}

/// Reads what the child prints until it ends or the limit is over, which is None.
fn wait(child: &mut Child, limit: Duration, output: &mut Output) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        // Before the pipes are read: what it wrote before its end is in them now.
        let status = child.try_wait()?;
        let read = drain(&mut child.stdout, &mut output.out)? | drain(&mut child.stderr, &mut output.err)?;
        if status.is_some() || start.elapsed() > limit {
            return Ok(status);
        }
        if !read {
            thread::sleep(PAUSE);
        }
    }
}

/// Takes what is in a pipe, and says whether there was anything. What is beyond MOST is dropped.
fn drain(pipe: &mut Option<impl Read + AsRawFd>, to: &mut Vec<u8>) -> io::Result<bool> {
    let Some(open) = pipe else { return Ok(false) };
    // SAFETY: F_GETFL and F_SETFL take and give integers.
    unsafe {
        let flags = fcntl(open.as_raw_fd(), F_GETFL);
        if flags & O_NONBLOCK == 0 && fcntl(open.as_raw_fd(), F_SETFL, flags | O_NONBLOCK) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let (mut piece, mut any) = ([0; 4096], false);
    loop {
        match open.read(&mut piece) {
            Ok(0) => {
                *pipe = None;
                return Ok(any);
            }
            Ok(n) => {
                any = true;
                to.extend_from_slice(&piece[..n]);
                // A test that prints without end has its time limit, and this its memory.
                if to.len() > MOST {
                    to.truncate(MOST + 1);
                    return Ok(any);
                }
            }
            Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(any),
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
}

/// The names in a folder, in order, one on each line.
fn list(folder: &str) {
    let mut names: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names {
        println!("{}", name.to_string_lossy());
    }
}

fn print(number: usize, kind: &str, output: &[u8]) {
    for piece in output[..output.len().min(MOST)].chunks(PIECE) {
        say(number, &format!("{kind} {} {}", piece.len(), piece.escape_ascii()));
    }
    if output.len() > MOST {
        say(number, &format!("{kind} 0 cut after {MOST} bytes"));
    }
}
