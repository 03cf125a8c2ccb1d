//! Golden files: the output that was last reviewed, one file a check. `ROUTEPROOF_BLESS=1 cargo test -p PACKAGE` writes
//! them anew.

use std::path::Path;

/// Holds what was found against the file of that name.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo passes a test no arguments that it does not filter by"
)]
pub(crate) fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/kept/{name}.txt"));
    if std::env::var_os("ROUTEPROOF_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(path, found).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (kept, found)) in kept.lines().zip(found.lines()).enumerate() {
        assert_eq!(kept, found, "{name}.txt, line {}", number + 1);
    }
    assert_eq!(kept.lines().count(), found.lines().count(), "{name}.txt, lines");
}
