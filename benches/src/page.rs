//! The page of results: tables, plots, and what they were measured on.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{fs, thread};

/// A Markdown table of rows with equally many cells, the first row its head.
pub fn table(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (position, row) in rows.iter().enumerate() {
        line(&mut text, &format!("| {} |", row.join(" | ")));
        if position == 0 {
            line(&mut text, &format!("|{}", "---|".repeat(row.len())));
        }
    }
    text
}

/// A curve of a plot: its name, and its points from left to right.
pub type Curve = (String, Vec<(f64, f64)>);

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 60.0;
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// A plot of curves as SVG, both axes logarithmic. All values are positive.
pub fn plot(title: &str, axes: [&str; 2], curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|(_, points)| points);
    let across = Axis::over(points().map(|point| point.0), MARGIN, WIDTH - 3.0 * MARGIN);
    let up = Axis::over(points().map(|point| point.1), HEIGHT - MARGIN, MARGIN);
    let mut svg = String::new();
    line(
        &mut svg,
        &format!(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">"#),
    );
    line(&mut svg, r"<style>text{font:12px sans-serif;fill:#555}</style>");
    line(
        &mut svg,
        &format!(r#"<text x="{MARGIN}" y="24" font-weight="bold">{title}</text>"#),
    );
    line(&mut svg, &format!(r#"<text x="{MARGIN}" y="44">{}</text>"#, axes[1]));
    line(
        &mut svg,
        &format!(r#"<text x="{MARGIN}" y="{}">{}</text>"#, HEIGHT - 12.0, axes[0]),
    );
    for value in across.ticks() {
        let x = across.place(value);
        line(
            &mut svg,
            &format!(
                r#"<text x="{x:.0}" y="{}" text-anchor="middle">{value}</text>"#,
                HEIGHT - 36.0
            ),
        );
    }
    for value in up.ticks() {
        let y = up.place(value);
        line(
            &mut svg,
            &format!(
                r##"<path d="M{MARGIN} {y:.1}H{}" stroke="#ddd"/>"##,
                WIDTH - 3.0 * MARGIN
            ),
        );
        line(
            &mut svg,
            &format!(r#"<text x="52" y="{:.1}" text-anchor="end">{value}</text>"#, y + 4.0),
        );
    }
    for (position, (name, points)) in curves.iter().enumerate() {
        let colour = COLOURS[position % COLOURS.len()];
        let places: Vec<String> = points
            .iter()
            .map(|&(x, y)| format!("{:.1},{:.1}", across.place(x), up.place(y)))
            .collect();
        let path = places.join(" ");
        line(
            &mut svg,
            &format!(r#"<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>"#),
        );
        let y = 60 + 20 * position;
        line(
            &mut svg,
            &format!(
                r#"<text x="{}" y="{y}" style="fill:{colour}">{name}</text>"#,
                WIDTH - 2.7 * MARGIN
            ),
        );
    }
    line(&mut svg, "</svg>");
    svg
}

/// A logarithmic axis from whole decade to whole decade.
struct Axis {
    decades: (f64, f64),
    places: (f64, f64),
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let high = values.fold(0.0, f64::max).log10().ceil();
        Self {
            decades: (low, high.max(low + 1.0)),
            places: (from, to),
        }
    }

    fn place(&self, value: f64) -> f64 {
        let (low, high) = self.decades;
        let (from, to) = self.places;
        from + (to - from) * (value.log10() - low) / (high - low)
    }

    /// The powers of ten on the axis.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (low, high) = self.decades;
        (0..20)
            .map(move |step| low + f64::from(step))
            .take_while(move |&decade| decade <= high)
            .map(|d| 10_f64.powf(d))
    }
}

fn line(text: &mut String, content: &str) {
    writeln!(text, "{content}").expect("writing to a string does not fail");
}

/// The folder that `--out` names, in the workspace.
///
/// # Panics
///
/// `--out` comes last, without a folder.
pub fn folder(arguments: &[String]) -> Option<&str> {
    let at = arguments.iter().position(|argument| argument == "--out")?;
    Some(&arguments[at + 1])
}

/// Writes a file of a page.
///
/// # Panics
///
/// The page cannot be written.
pub fn write(folder: &str, file: &str, text: &str) {
    // Cargo runs a benchmark in the folder of its package; the page belongs to the whole workspace.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join(file), text).expect("the page can be written");
}

/// Returns the note on how a page was generated: `cargo bench -p benches --bench` with these arguments, on this
/// machine.
pub fn measured_by(arguments: &str) -> String {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map_or(String::new(), |output| {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        })
    };
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "))
        .unwrap_or("an unknown processor");
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let commit = run("git", &["rev-parse", "--short=10", "HEAD"]);
    format!(
        "Generated by `cargo bench -p benches --bench {arguments}`. {cpu}, {cores} cores, load {} at the end; {}; \
         commit {commit}. Contestants take turns in one process, and times are medians: read the ratios, since the times \
         depend on the machine and on what else it does.\n",
        load.split(' ').next().unwrap_or("unknown"),
        run("rustc", &["--version"]),
    )
}
