//! A program around the library of the system's own package manager, for the tests of ours.
//!
//!     pkg-client install URL TARGET ROOT NAME...
//!     pkg-client remove URL TARGET ROOT NAME...
//!     pkg-client publish DIR TARGET SECRET-KEY NAME TREE DEPENDS...

use std::{cell::RefCell, env, error::Error, fs, rc::Rc};

use pkg::{callback::SilentCallback, Library, LibraryBuilder, Package, PackageName};
use pkgar_core::{Architecture, HeaderFlags, PackageSrc, Packaging};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let rest = || PackageName::from_list(args[4..].to_vec());
    match args[0].as_str() {
        "install" => {
            env::set_current_dir(&args[3])?;
            let mut library = open(&args)?;
            library.install(rest()?)?;
            println!("{}", library.apply()?);
        }
        "remove" => {
            let mut library = open(&args)?;
            library.uninstall(rest()?)?;
            println!("{}", library.apply()?);
        }
        "publish" => publish(&args[1..])?,
        other => return Err(format!("no command {other}").into()),
    }
    Ok(())
}

/// The library keeps keys and archives by the host's name in one folder in /tmp for all: tests that run at once would read each
/// other's, half-written, and those of an earlier run. So they get one in TMPDIR.
fn open(args: &[String]) -> Result<Library, Box<dyn Error>> {
    let silent = Rc::new(RefCell::new(SilentCallback::new()));
    let builder = LibraryBuilder::new(&args[3]).with_callback(silent);
    Ok(Library::new_with_builder(builder, |repositories| {
        repositories.set_download_path(env::temp_dir().join("pkg-client"));
        repositories.add_remote(&args[1], &args[2])
    })?)
}

/// Adds a package to a repository, the archive compressed.
fn publish(args: &[String]) -> Result<(), Box<dyn Error>> {
    let (dir, target, secret, name, tree) = (&args[0], &args[1], &args[2], &args[3], &args[4]);
    let folder = format!("{dir}/{target}");
    fs::create_dir_all(&folder)?;
    let archive = format!("{folder}/{name}.pkgar");
    pkgar::create_with_flags(secret, &archive, tree, HeaderFlags::latest(Architecture::AArch64, Packaging::LZMA2))?;
    let key = pkgar_keys::SecretKeyFile::open(secret)?.public_key_file().ok_or("the secret key is encrypted")?;
    key.save(format!("{dir}/id_ed25519.pub.toml"))?;
    let package = Package {
        name: PackageName::new(name.clone())?,
        version: "1".into(),
        target: target.clone(),
        blake3: pkgar::PackageFile::new(&archive, &key.pkey)?.header().blake3.iter().map(|b| format!("{b:02x}")).collect(),
        storage_size: 1,
        network_size: fs::metadata(&archive)?.len(),
        depends: PackageName::from_list(args[5..].to_vec())?,
        ..Default::default()
    };
    fs::write(format!("{folder}/{name}.toml"), package.to_toml())?;
    Ok(())
}
