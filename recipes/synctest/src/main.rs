//! `synctest FILE TEXT COUNT` writes TEXT and a line feed to FILE and calls sync() COUNT times.
//!
//! How often the disk was asked to flush is counted outside, where nothing in the guest can pretend. COUNT makes
//! the requests of sync() stand out from those of the transaction that wrote the file.

use std::{env, fs, io, process};

extern "C" {
    /// The C library's: it has no result, so that only the disk knows whether it did anything.
    fn sync();
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Err(err) = run(&arguments) {
        eprintln!("synctest: {err}");
        process::exit(1);
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let [path, text, count] = arguments else {
        return Err("usage: synctest FILE TEXT COUNT".into());
    };
    let count: u32 = count.parse().map_err(|err| format!("count {count:?}: {err}"))?;
    write(path, text).map_err(|err| format!("{path}: {err}"))?;
    for _ in 0..count {
        // SAFETY: sync has no arguments and no conditions.
        unsafe { sync() };
    }
    // What sync() cannot say: whether the root directory can be flushed at all.
    fs::File::open("/").and_then(|root| root.sync_all()).map_err(|err| format!("fsync of /: {err}"))?;
    println!("synctest: {path} is written, sync() returned {count} times");
    Ok(())
}

/// No fsync here: what reaches the disk's medium is for sync() to prove.
fn write(path: &str, text: &str) -> io::Result<()> {
    fs::write(path, format!("{text}\n"))
}
