//! Writes the private modules of the Kotlin and Swift packages, and the list of what the boundary exports.
//!
//! Reads the library that was built for this machine; one that was stripped describes nothing, but its archive does.

mod api;
mod kotlin;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use camino::Utf8PathBuf;
use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate_with_bindgen_paths};
use uniffi_bindgen::{BindgenPaths, BindgenPathsLayer};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: tidelog-bindgen kotlin|swift LIBRARY FOLDER
       tidelog-bindgen api LIBRARY             writes bindings/uniffi/api.txt";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["kotlin", library, folder] => {
            generate(TargetLanguage::Kotlin, library, folder)?;
            kotlin::keep_status(Path::new(folder))
        }
        ["swift", library, folder] => generate(TargetLanguage::Swift, library, folder),
        ["api", library] => Ok(fs::write(api::path(), api::list(library)?)?),
        _ => Err(USAGE.into()),
    }
}

fn generate(language: TargetLanguage, library: &str, folder: &str) -> Result<()> {
    let options = GenerateOptions {
        languages: vec![language],
        source: library.into(),
        out_dir: folder.into(),
        ..GenerateOptions::default()
    };
    let mut paths = BindgenPaths::default();
    paths.add_layer(UniffiCrate);
    Ok(generate_with_bindgen_paths(options, paths)?)
}

/// Where the configuration of the crate at the boundary is.
struct UniffiCrate;

impl BindgenPathsLayer for UniffiCrate {
    fn get_crate_root(&self, _crate_name: &str) -> Option<Utf8PathBuf> {
        Utf8PathBuf::from_path_buf(uniffi_crate()).ok()
    }
}

fn uniffi_crate() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).with_file_name("uniffi")
}
