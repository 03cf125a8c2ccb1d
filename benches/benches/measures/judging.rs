//! The trial of the reference: checked lookups a second, and one list of many patterns.

use benches::page;
use benches::race::{as_float, nanoseconds_since, now, quantile};

use crate::judged::{judge, judge_list, list, random_traces};
use crate::{Section, head};

/// The number of measurements of each; odd, so that one time is the median.
const TURNS: usize = 3;
/// The rows of the lists.
const LISTS: [usize; 4] = [1_250, 2_500, 5_000, 10_000];

pub(crate) fn judging() -> Section {
    let of_traces = judge();
    let answers = random_traces(&of_traces).work.answers;
    let times = (0..TURNS).map(|_| {
        let start = now();
        random_traces(&of_traces);
        nanoseconds_since(start)
    });
    let nanoseconds = quantile(times.collect(), 0.5);
    let a_second = as_float(usize::try_from(answers).unwrap_or(usize::MAX)) / nanoseconds * 1e9;
    let mut rows = vec![head(&["patterns", "seconds"])];
    let mut longest = 0.0;
    for count in LISTS {
        let list = list(count);
        let times = (0..TURNS).map(|_| {
            let judge = judge();
            let start = now();
            judge_list(&judge, &list);
            nanoseconds_since(start)
        });
        longest = quantile(times.collect(), 0.5) / 1e9;
        rows.push(vec![count.to_string(), format!("{longest:.2}")]);
    }
    let text = format!(
        "The random engine draws, carries out and judges {a_second:.0} lookups a second, of {answers}. One list of patterns, \
         with 64 lookups and a listing before and behind it, judged by every rule:\n\n{}",
        page::table(&rows)
    );
    Section {
        title: "The trial of the reference",
        text,
        plot: None,
        measures: vec![("a list of 10000 patterns judged, seconds".to_owned(), 2.0, longest)],
    }
}
