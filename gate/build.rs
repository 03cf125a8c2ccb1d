//! Embeds the Python adapter for LiteLLM and the traces of known issues: every file of each, so that a new one cannot be
//! forgotten.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Relative to the manifest of this package.
const PACKAGES: &str = "../adapters/litellm";
const PACKAGE: &str = "routeproof_litellm";
const KNOWN: &str = "../testdata/known";

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(PACKAGES);
    // Cargo looks at every file below it, and at files that are added.
    println!("cargo::rerun-if-changed={PACKAGES}/{PACKAGE}");
    let files = embed(&root, &root.join(PACKAGE), "files.rs");
    let mut hash = Fnv::default();
    for file in &files {
        hash.feed(name_below(&root, file).as_bytes());
        hash.feed(&fs::read(file).expect("a file that was just listed can be read"));
    }
    println!("cargo::rustc-env=ROUTEPROOF_LITELLM_HASH={:016x}", hash.0);

    println!("cargo::rerun-if-changed={KNOWN}");
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join(KNOWN);
    embed(&known, &known, "known.rs");
}

/// Writes a list of all files below `dir`, each with its name below `root` and its text, into a file of the build. Returns
/// the files.
fn embed(root: &Path, dir: &Path, list_file: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(dir, &mut files);
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let name = name_below(root, file);
        let path = file
            .to_str()
            .expect("a source tree that cargo builds has a path in UTF-8");
        writeln!(list, "    ({name:?}, include_str!({path:?})),").expect("a string takes any text");
    }
    list.push(']');
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo tells a build script where to write in no other way"
    )]
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    let out = PathBuf::from(out);
    fs::write(out.join(list_file), list).expect("cargo's own directory can be written");
    files
}

fn name_below<'a>(root: &Path, file: &'a Path) -> &'a str {
    let name = file.strip_prefix(root).expect("every file is below the root");
    name.to_str().expect("a file name of this project is text")
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(dir).unwrap_or_else(|why| panic!("cannot read {}: {why}", dir.display()));
    for entry in entries {
        let path = entry.expect("an entry of a directory can be read").path();
        if path.file_name().is_some_and(|name| name == "__pycache__") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// FNV-1a, 64 bits: it names a directory, and guards nothing.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn feed(&mut self, bytes: &[u8]) {
        // The length keeps a name apart from the content after it.
        for byte in bytes.len().to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
