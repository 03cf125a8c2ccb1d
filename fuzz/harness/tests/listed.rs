//! A target stands in four places: the registry, a binary, its manifest and the book. None may be forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fuzz_harness::TARGETS;

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

#[test]
fn every_target_stands_everywhere() {
    let manifest = text("fuzz/Cargo.toml");
    let named = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""));
    let named: BTreeSet<&str> = named.collect();
    let known: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(named, known, "the binaries of `fuzz/Cargo.toml`");
    let page = text("docs/src/fuzzing.md");
    for target in &TARGETS {
        let name = target.name;
        let kind = if target.level.is_some() { "steps" } else { "bytes" };
        let binary = text(&format!("fuzz/fuzz_targets/{name}.rs"));
        assert!(
            binary.contains(&format!("::{kind}!(\"{name}\");")),
            "{name}: its binary"
        );
        assert!(
            page.contains(&format!("| `{name}` | {kind} |")),
            "{name}: the table in the book"
        );
    }
}
