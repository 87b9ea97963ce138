//! A program around the library of the system's own package manager, for the tests of ours.
//!
//!     pkg-client install URL TARGET ROOT NAME...
//!     pkg-client remove URL TARGET ROOT NAME...
//!     pkg-client publish DIR TARGET SECRET-KEY NAME TREE DEPENDS...

use std::{cell::RefCell, env, error::Error, fs, rc::Rc};

use pkg::{callback::SilentCallback, Library, Package, PackageName};
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

fn open(args: &[String]) -> Result<Library, Box<dyn Error>> {
    let silent = Rc::new(RefCell::new(SilentCallback::new()));
    Ok(Library::new_remote(&vec![args[1].as_str()], args[3].clone(), &args[2], silent)?)
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
