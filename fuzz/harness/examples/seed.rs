//! Writes the inputs that the traces of the repository give to the corpora: `cargo run -p fuzz-harness --example seed`.
//!
//! An argument is the directory of the corpora, in place of `fuzz/corpus`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fuzz_harness::seeds;

const KEPT: [&str; 2] = ["testdata/regressions", "testdata/known/litellm"];

fn main() -> io::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpora = std::env::args_os()
        .nth(1)
        .map_or_else(|| root.join("fuzz/corpus"), PathBuf::from);
    let (mut written, mut left_out) = (0, 0);
    for directory in KEPT {
        for entry in fs::read_dir(root.join(directory))? {
            let path = entry?.path();
            let stem = path.file_stem().unwrap_or_default().to_owned();
            let (seeds, steps) = seeds(&fs::read_to_string(&path)?);
            if let Err(why) = steps {
                left_out += 1;
                println!("{}: no steps: {why}", stem.display());
            }
            for seed in seeds {
                let corpus = corpora.join(seed.target);
                fs::create_dir_all(&corpus)?;
                fs::write(corpus.join(&stem), &seed.bytes)?;
                written += 1;
            }
        }
    }
    println!(
        "{written} inputs in {}; {left_out} traces without steps",
        corpora.display()
    );
    Ok(if written == 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
