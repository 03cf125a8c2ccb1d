//! A counterexample as a space-time diagram: a lane for the store and for each replica, time downwards.

use std::fmt::Write as _;

use fleet::{At, Kind, Machine, Violation};

const LANE_WIDTH: usize = 320;
const STEP_HEIGHT: usize = 84;
const TOP: usize = 64;
const MARGIN: usize = 24;
/// The most characters of a lane's text on one line.
const LINE_CHARACTERS: usize = 44;
const LINE_HEIGHT: usize = 13;

/// The diagram as an SVG document.
pub(super) fn svg<M: Machine>(machine: &M, violation: &Violation<M::State>) -> String {
    let mut before = machine.lanes(&machine.initial());
    let lanes = before.len();
    let (width, height) = (
        lanes * LANE_WIDTH + 2 * MARGIN,
        TOP + (violation.path.len() + 1) * STEP_HEIGHT,
    );
    let mut svg = String::new();
    let mut line = |text: String| writeln!(svg, "{text}").expect("a string takes any text");
    line(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">"#
    ));
    line(format!(
        "<title>{}</title>",
        escape(&format!("{} is violated", violation.rule))
    ));
    line(r#"<defs><marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="3" orient="auto"><path d="M0,0 L7,3 L0,6 z" fill="black"/></marker></defs>"#.to_owned());
    line(format!(r#"<rect width="{width}" height="{height}" fill="white"/>"#));
    for (lane, text) in before.iter().enumerate() {
        let (x, name) = (middle(lane), text.split(':').next().unwrap_or_default());
        line(format!(
            r#"<text x="{x}" y="28" text-anchor="middle" font-weight="bold">{}</text>"#,
            escape(name)
        ));
        line(format!(
            r##"<line x1="{x}" y1="40" x2="{x}" y2="{}" stroke="#999"/>"##,
            height - MARGIN
        ));
    }
    for (number, (action, state)) in violation.path.iter().enumerate() {
        let y = TOP + number * STEP_HEIGHT + STEP_HEIGHT / 4;
        let at = match action.at {
            At::Store => 0,
            At::Replica(replica) => usize::from(replica) + 1,
        };
        if let Some((from, to)) = arrow(action.kind, at, action.writes()) {
            let (from, to) = (middle(from), middle(to));
            line(format!(
                r#"<line x1="{from}" y1="{y}" x2="{to}" y2="{y}" stroke="black" marker-end="url(#head)"/>"#
            ));
        }
        let last = number + 1 == violation.path.len();
        let colour = if last { "#c00" } else { "black" };
        let x = middle(at);
        line(format!(r#"<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>"#));
        let label = format!("{}. {action}", number + 1);
        line(format!(
            r#"<text x="{}" y="{}" fill="{colour}">{}</text>"#,
            x + 8,
            y - 6,
            escape(&label)
        ));
        let after = machine.lanes(state);
        let lanes = after.iter().zip(&before).enumerate();
        for (lane, (after, _)) in lanes.filter(|(_, (after, before))| after != before) {
            let text = after.split_once(": ").map_or(after.as_str(), |(_, text)| text);
            for (index, text) in wrapped(text).into_iter().enumerate() {
                let (x, y) = (middle(lane) + 8, y + LINE_HEIGHT * (index + 1));
                line(format!(
                    r##"<text x="{x}" y="{y}" fill="#06c">{}</text>"##,
                    escape(&text)
                ));
            }
        }
        before = after;
    }
    line("</svg>".to_owned());
    svg
}

fn middle(lane: usize) -> usize {
    MARGIN + lane * LANE_WIDTH + LANE_WIDTH / 8
}

/// Returns the lanes between which something goes, if anything does.
fn arrow(kind: Kind, at: usize, writes: bool) -> Option<(usize, usize)> {
    match kind {
        _ if at == 0 => None,
        _ if writes => Some((at, 0)),
        Kind::Read
        | Kind::StaleRead
        | Kind::FailedPoll
        | Kind::EmptyPoll
        | Kind::PartialPoll
        | Kind::Deliver
        | Kind::Duplicate
        | Kind::Miss => Some((0, at)),
        _ => None,
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line");
        if !line.is_empty() && line.chars().count() + word.chars().count() >= LINE_CHARACTERS {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
