//! The manifests of the workspace against the table of packages in the book.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Directories of packages, as the book has them, without a slash in the end.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("the gate lies in the workspace").to_owned()
}

/// Returns the members of the workspace, each with those that are built into it: dependencies of tests alone are left out.
fn members() -> Uses {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        metadata.status.success(),
        "{}",
        String::from_utf8_lossy(&metadata.stderr)
    );
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("cargo writes JSON");
    let workspace = metadata["workspace_root"].as_str().expect("a path");
    let directory = |path: &str| {
        let inside = Path::new(path)
            .strip_prefix(workspace)
            .expect("it lies in the workspace");
        inside.to_str().expect("it is text").to_owned()
    };
    let array = |value: &Value| value.as_array().expect("a list").clone();
    let members = array(&metadata["packages"]).into_iter().map(|package| {
        let manifest = package["manifest_path"].as_str().expect("a path");
        let uses = array(&package["dependencies"]).into_iter();
        let uses = uses.filter(|dependency| dependency["kind"] != "dev");
        let uses = uses.filter_map(|dependency| dependency["path"].as_str().map(directory));
        let own = manifest.strip_suffix("/Cargo.toml").expect("a manifest's name");
        (directory(own), uses.collect())
    });
    members.collect()
}

/// Returns the rows of the table whose head begins with `package`.
fn table(page: &str) -> Uses {
    let rows = page.lines().skip_while(|line| !line.starts_with("| package |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.split('|').collect();
        let [package] = &quoted(cells[1])[..] else {
            panic!("one package a row: {line}");
        };
        (package.clone(), quoted(cells[2]).into_iter().collect())
    });
    rows.collect()
}

/// Returns the names in backticks, without a slash in the end.
fn quoted(cell: &str) -> Vec<String> {
    let names = cell.split('`').skip(1).step_by(2);
    names.map(|name| name.trim_end_matches('/').to_owned()).collect()
}

#[test]
fn each_package_depends_on_what_the_book_says() {
    let page = std::fs::read_to_string(root().join("docs/src/architecture.md")).expect("the book has the page");
    assert_eq!(table(&page), members());
}

/// No adapter depends on `model` or `fleet`, so that none can look the right answers up.
#[test]
fn no_adapter_knows_the_specification() {
    let members = members();
    let adapters: Vec<_> = members.iter().filter(|(of, _)| of.starts_with("adapters/")).collect();
    assert!(!adapters.is_empty(), "there are adapters among {members:?}");
    for (adapter, uses) in adapters {
        for key in ["model", "fleet"] {
            assert!(members.contains_key(key), "`{key}` is a package");
            assert!(!uses.contains(key), "`{adapter}` depends on `{key}`");
        }
    }
}
