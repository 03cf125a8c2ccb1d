//! The Python adapter for LiteLLM, which this program carries with it and unpacks into the cache.

use std::fs;
use std::path::{Path, PathBuf};

use protocol::AdapterFault;

use super::cache::{Cache, fault};
use super::spec::Release;

/// Every file of the package: its path below a directory of Python packages, and its text.
pub(crate) const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The module that is run.
pub(crate) const MODULE: &str = "routeproof_litellm";

/// The newest release of LiteLLM of which the package knows what a fresh router answers.
///
/// # Panics
///
/// Never: the package has that file, and a test reads it.
pub(crate) fn newest_with_preset() -> Release {
    let file = format!("{MODULE}/newest_with_preset");
    let found = FILES.iter().find(|(path, _)| *path == file);
    let (_, text) = found.expect("the package says which release that is");
    Release::parse(text.trim()).expect("that release is one that is driven")
}

/// Unpacks the package, if it is not there yet, and returns the directory to put on Python's path.
///
/// # Errors
///
/// A fault of the cache directory.
pub(crate) fn unpack(cache: &Cache) -> Result<PathBuf, AdapterFault> {
    let name = concat!("adapter-litellm-", env!("ROUTEPROOF_LITELLM_HASH"));
    cache.once(name, &is_whole, &|| (), &|dir| {
        FILES.iter().try_for_each(|(path, text)| {
            let path = dir.join(path);
            let parent = path.parent().expect("a file is in a directory");
            fs::create_dir_all(parent).map_err(|why| fault("make", parent, &why))?;
            fs::write(&path, text).map_err(|why| fault("write", &path, &why))
        })
    })
}

fn is_whole(dir: &Path) -> bool {
    let same = |(path, text): &(&str, &str)| fs::read(dir.join(path)).is_ok_and(|found| found == text.as_bytes());
    FILES.iter().all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_says_how_far_its_presets_reach() {
        let newest = newest_with_preset();
        assert!(!Release::parse("1.110.0").unwrap().is_newer_than(&newest));
        assert!(Release::parse("2.0.0").unwrap().is_newer_than(&newest));
    }

    #[test]
    fn the_package_is_unpacked_whole_and_mended() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let dir = unpack(&cache).unwrap();
        assert!(dir.join(MODULE).join("__main__.py").is_file());
        let (path, text) = FILES[0];
        fs::write(dir.join(path), "something else").unwrap();
        assert_eq!(unpack(&cache).unwrap(), dir);
        assert_eq!(fs::read_to_string(dir.join(path)).unwrap(), text);
    }
}
