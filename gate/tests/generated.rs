//! Files of the book that are generated from the code: each is compared with its committed copy.
//!
//! `ROUTEPROOF_BLESS=1 cargo test -p routeproof --test generated` writes the files anew, but for the figures of the kill
//! table: they take minutes, and `routeproof faults --format markdown` prints them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use adapter_faulty::FAULTS;
use clap::CommandFactory as _;
use gate::{
    Cli, Document, Engine, Exit, FaultReport, FaultsReport, KILL_SEEDS, Kill, Killed, kill_universes, markdown_table,
    report_schema, rules_markdown,
};
use model::semantics::PRESETS;
use model::universe::{FLEET_UNIVERSES, UNIVERSES};
use protocol::{Level, schemas, wire};

/// The columns that help texts are wrapped to, whatever the terminal of whoever blesses them.
const HELP_COLUMNS: usize = 100;

#[test]
fn rules_chapter() {
    check("src/rules.md", &rules_markdown());
}

#[test]
fn exit_codes_chapter() {
    let mut text =
        String::from("# Exit codes\n\nThey are a stable interface.\n\n| code | name | meaning |\n|---|---|---|\n");
    for exit in Exit::ALL {
        add(
            &mut text,
            &format!("| {} | {} | {} |", exit.code(), exit.name(), exit.meaning()),
        );
    }
    check("src/exit-codes.md", &text);
}

/// The figures of the kill table take minutes to measure, so they are the committed ones; all else is the code's.
#[test]
fn kill_table_chapter() {
    let committed = read(&root().join("docs/src/kill-table.md"));
    let rows = FAULTS.iter().map(|fault| {
        let head = format!("| `{}` |", fault.name);
        let row = committed.lines().find(|line| line.starts_with(&head));
        let row = row.unwrap_or_else(|| panic!("docs/src/kill-table.md has no row for `{}`", fault.name));
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        // Behind name, sentence and source: two cells for each engine, and the rule.
        let rule = cells[cells.len() - 1].trim_matches('`');
        let figures = cells[3..cells.len() - 1].chunks(2);
        let engines = [Engine::Random, Engine::Property, Engine::Exhaustive, Engine::Fuzzer];
        FaultReport {
            fault: fault.name.to_owned(),
            sentence: fault.sentence.to_owned(),
            source: fault.source.to_owned(),
            engines: figures
                .zip(engines)
                .filter(|(figures, _)| figures[0] != "not measured")
                .map(|(figures, engine)| Killed {
                    engine,
                    kill: Some(Kill {
                        changes: figures[0].parse().expect("a number of changes"),
                        steps: figures[1].parse().expect("a number of steps"),
                        rule: rule.parse().expect("a rule"),
                    }),
                })
                .collect(),
        }
    });
    let table = Document::Faults(FaultsReport {
        level: Level::Router,
        seeds: KILL_SEEDS,
        universes: kill_universes(),
        faults: rows.collect(),
        alarms: Vec::new(),
    });
    check("src/kill-table.md", &markdown_table(&table).expect("it has a table"));
}

#[test]
fn command_line_chapter() {
    let mut command = Cli::command().term_width(HELP_COLUMNS);
    command.build();
    let mut text = String::from("# Command line\n\nEvery flag of every command, as `--help` prints it.\n");
    help(&mut text, &mut command);
    for one in command.get_subcommands_mut().filter(|one| one.get_name() != "help") {
        help(&mut text, one);
    }
    check("src/cli.md", &text);
}

fn help(text: &mut String, command: &mut clap::Command) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    add(text, &format!("\n## `{name}`\n\n```text\n{}\n```", lines.join("\n")));
}

#[test]
fn presets_chapter() {
    let mut text = String::from(
        "# Presets\n\nWhat a dialect may name as its `semantics`.\n\n| preset | what it is |\n|---|---|\n",
    );
    for preset in PRESETS {
        add(&mut text, &format!("| `{}` | {} |", preset.name, preset.sentence));
    }
    check("src/presets.md", &text);
}

/// Names and values of limits.
macro_rules! limits {
    ($module:ident: $($name:ident),* $(,)?) => {
        [$((stringify!($name), u64::try_from($module::$name).expect("a limit is a count"))),*]
    };
}

#[test]
fn limits_chapter() {
    let of_the_wire = limits!(wire: LINE_BYTES_MAX, BATCH_RUNS_MAX, RUN_STEPS_MAX, RUN_QUESTIONS_MAX,
        RUN_BEGUN_MAX, LIST_ROWS_MAX, TEXT_BYTES_MAX, REPLICAS_MAX, HELLO_ITEMS_MAX, HELLO_BYTES_MAX, PARAMS_BYTES_MAX,
        DID_BYTES_MAX);
    let of_files = limits!(protocol: TRACE_BYTES_MAX, WHY_BYTES_MAX);
    let mut text = String::from("# Limits\n\n| limit | value | what it bounds |\n|---|---|---|\n");
    let sources = [("wire", of_the_wire.as_slice()), ("file", of_files.as_slice())];
    for (module, limits) in sources {
        let source = read(&root().join(format!("protocol/src/{module}.rs")));
        let documented = documented_limits(&source);
        let names: Vec<&str> = documented.iter().map(|(name, _)| *name).collect();
        let listed: Vec<&str> = limits.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            listed, names,
            "list every limit of `protocol::{module}` here, in its order"
        );
        for ((name, value), (_, meaning)) in limits.iter().zip(&documented) {
            add(&mut text, &format!("| `{name}` | {value} | {meaning} |"));
        }
    }
    add_universes(&mut text);
    check("src/limits.md", &text);
}

/// Adds the sizes of the worlds that traces are drawn from: a fault that takes more of something is not met.
fn add_universes(text: &mut String) {
    text.push_str(
        "\n## Universes\n\nA random trace draws its texts from a part of one of the first three, a schedule of a fleet from one of the others: see\n\
         [swarm](decisions/swarm.md).\n\n\
         | universe | ids | names | patterns | teams | longest text, in characters | most lookups of a round |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for universe in UNIVERSES.into_iter().chain(FLEET_UNIVERSES) {
        let lists = [universe.ids, universe.names, universe.patterns, universe.teams];
        let lengths = lists.into_iter().flatten().map(|text| text.chars().count());
        let cells = lists.map(<[&str]>::len).into_iter();
        let cells = cells.chain([lengths.max().unwrap_or(0), universe.queries_max]);
        let cells: Vec<String> = cells.map(|cell| cell.to_string()).collect();
        add(text, &format!("| `{}` | {} |", universe.name, cells.join(" | ")));
    }
}

/// The limits of a module's source, each with the doc comment right above it.
fn documented_limits(source: &str) -> Vec<(&str, String)> {
    let mut limits = Vec::new();
    let mut docs = Vec::new();
    for line in source.lines() {
        if let Some(doc) = line.strip_prefix("/// ") {
            docs.push(doc);
            continue;
        }
        let name = line.strip_prefix("pub const ").and_then(|rest| rest.split(':').next());
        if let Some(name) = name.filter(|name| name.ends_with("_MAX")) {
            limits.push((name, docs.join(" ").trim_end_matches('.').to_owned()));
        }
        docs.clear();
    }
    limits
}

#[test]
fn json_schemas() {
    for (name, schema) in schemas().into_iter().chain([("report.json", report_schema())]) {
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
        check(&format!("schema/{name}"), &(text + "\n"));
    }
}

fn add(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes any text");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|why| panic!("cannot read {}: {why}", path.display()))
}

/// Compares `generated` with the committed `docs/` file, or writes it there.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo passes a test no arguments that it does not filter by"
)]
fn check(file: &str, generated: &str) {
    let path = root().join("docs").join(file);
    if std::env::var_os("ROUTEPROOF_BLESS").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("the book can be written");
        fs::write(&path, generated).unwrap_or_else(|why| panic!("cannot write {}: {why}", path.display()));
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let differs = committed
        .lines()
        .zip(generated.lines())
        .position(|(old, new)| old != new);
    let line = differs.unwrap_or_else(|| committed.lines().count().min(generated.lines().count()));
    assert!(
        committed == generated,
        "docs/{file} is not what the code says, from line {}: `{}` in the file, `{}` in the code; write it anew with \
         `ROUTEPROOF_BLESS=1 cargo test -p routeproof --test generated`, and commit it",
        line + 1,
        committed.lines().nth(line).unwrap_or("the end"),
        generated.lines().nth(line).unwrap_or("the end"),
    );
}
