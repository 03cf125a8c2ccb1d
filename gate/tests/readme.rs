//! The commands, failures and files that README and book show are those of the program.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use gate::{Cli, Exit};
use model::RuleId;
use protocol::TraceFile;
use protocol::wire::{Request, Response};

/// The fewest of each that there are: a check that finds nothing to check is no check.
const COMMANDS_MIN: usize = 10;
const TRACES_MIN: usize = 3;
const WIRE_LINES_MIN: usize = 6;

/// A fenced block: the file it is in, the word behind its fence, its text.
struct Block {
    file: String,
    language: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every fenced block of the README and of every chapter.
fn blocks() -> Vec<Block> {
    let mut files = chapters();
    files.push(root().join("README.md"));
    files.iter().flat_map(|file| blocks_of(file)).collect()
}

/// Every Markdown file of the book.
fn chapters() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for dir in ["docs/src", "docs/src/decisions"] {
        let entries = fs::read_dir(root().join(dir)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    files.retain(|file| file.extension().is_some_and(|ending| ending == "md"));
    files.sort();
    files
}

fn blocks_of(file: &Path) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in fs::read_to_string(file).unwrap().lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block {
                    file: file.file_name().unwrap().to_string_lossy().into_owned(),
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block is not closed", file.display());
    blocks
}

#[test]
fn every_command_is_understood() {
    let mut understood = 0;
    for block in blocks().iter().filter(|block| block.language == "sh") {
        // A line that ends in a backslash goes on in the next; what is piped in or out is not ours.
        let text = block.text.replace("\\\n", " ");
        for line in text.lines() {
            let words = shlex::split(line).unwrap_or_else(|| panic!("{}: `{line}` has an open quote", block.file));
            let Some(arguments) = ours(&words) else { continue };
            if let Err(why) = Cli::try_parse_from(["routeproof".to_owned()].iter().chain(arguments)) {
                panic!("{}: `{line}`: {why}", block.file);
            }
            understood += 1;
        }
    }
    assert!(understood >= COMMANDS_MIN, "only {understood} commands are shown");
}

/// The arguments that a command line gives to `routeproof`, where it calls it.
fn ours(words: &[String]) -> Option<&[String]> {
    let prefixes: [&[&str]; 2] = [&["routeproof"], &["cargo", "run", "--release", "--"]];
    let command = words.rsplit(|word| word == "|").next()?;
    let arguments = prefixes.iter().find_map(|prefix| {
        let (head, rest) = command.split_at_checked(prefix.len())?;
        (head == *prefix).then_some(rest)
    })?;
    let end = arguments
        .iter()
        .position(|word| [">", "||", "&&"].contains(&word.as_str()));
    Some(&arguments[..end.unwrap_or(arguments.len())])
}

#[test]
fn the_exit_codes_are_those_there_are() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for exit in Exit::ALL {
        let row = format!("| {} | {} | {} |", exit.code(), exit.name(), exit.meaning());
        assert!(readme.contains(&row), "the README has no row `{row}`");
    }
}

#[test]
fn every_chapter_is_in_the_summary() {
    let src = root().join("docs/src");
    let summary = fs::read_to_string(src.join("SUMMARY.md")).unwrap();
    for chapter in chapters() {
        let name = chapter.strip_prefix(&src).unwrap().to_str().unwrap();
        let listed = name == "SUMMARY.md" || summary.contains(&format!("]({name})"));
        assert!(listed, "docs/src/SUMMARY.md does not list `{name}`");
    }
}

#[test]
fn every_failure_shown_is_of_a_rule_in_its_own_words() {
    let mut shown = 0;
    for block in blocks() {
        for line in block.text.lines() {
            let Some((id, sentence)) = line.strip_prefix("FAIL ").and_then(|rest| rest.split_once(": ")) else {
                continue;
            };
            let id: RuleId = id.parse().unwrap_or_else(|why| panic!("{}: {why}", block.file));
            assert_eq!(id.rule().sentence, sentence, "{}", block.file);
            shown += 1;
        }
    }
    assert!(shown > 0, "no failure is shown");
}

#[test]
fn every_trace_shown_is_one() {
    let is_trace = |block: &&Block| block.language == "toml" && block.text.starts_with("version = ");
    let blocks = blocks();
    let traces: Vec<&Block> = blocks.iter().filter(is_trace).collect();
    assert!(traces.len() >= TRACES_MIN, "only {} traces are shown", traces.len());
    for block in traces {
        TraceFile::parse(&block.text).unwrap_or_else(|why| panic!("{}: {why}", block.file));
    }
}

#[test]
fn every_skip_file_shown_is_one() {
    let blocks = blocks();
    let skips: Vec<&Block> = blocks
        .iter()
        .filter(|block| block.text.starts_with("[[skip]]"))
        .collect();
    assert!(!skips.is_empty(), "no skip file is shown");
    for block in skips {
        gate::Skips::parse(&block.text).unwrap_or_else(|why| panic!("{}: {why}", block.file));
    }
}

#[test]
fn every_line_shown_of_the_wire_is_one() {
    let mut lines = 0;
    for block in blocks() {
        for line in block.text.lines() {
            let read = if let Some(request) = line.strip_prefix("-> ") {
                serde_json::from_str::<Request>(request).map(|_| ())
            } else if let Some(response) = line.strip_prefix("<- ") {
                serde_json::from_str::<Response>(response).map(|_| ())
            } else {
                continue;
            };
            if let Err(why) = read {
                panic!("{}: `{line}`: {why}", block.file);
            }
            lines += 1;
        }
    }
    assert!(lines >= WIRE_LINES_MIN, "only {lines} lines of the wire are shown");
}
