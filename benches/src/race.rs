//! Timing side by side: the contestants take turns, so that what disturbs one disturbs the others too.

use std::time::Instant;

/// The number of turns of each contestant; odd, so that one is the median.
const TURNS: usize = 15;

/// Something that answers queries.
pub struct Contestant<'a> {
    queries: &'a [String],
    ask: Box<dyn Fn(&str) + 'a>,
}

impl<'a> Contestant<'a> {
    /// A contestant that is asked all of these queries in each of its turns.
    pub fn new(queries: &'a [String], ask: impl Fn(&str) + 'a) -> Self {
        Self {
            queries,
            ask: Box::new(ask),
        }
    }

    /// Nanoseconds a query, in one turn.
    fn turn(&self) -> f64 {
        let start = now();
        for query in self.queries {
            (self.ask)(query);
        }
        nanoseconds_since(start) / as_float(self.queries.len())
    }
}

/// Nanoseconds a query, for each contestant and turn.
pub struct Race(Vec<Vec<f64>>);

impl Race {
    /// Lets the contestants take their turns.
    pub fn run(contestants: &[Contestant<'_>]) -> Self {
        let mut turns = vec![Vec::new(); contestants.len()];
        for _ in 0..TURNS {
            for (contestant, turns) in contestants.iter().zip(&mut turns) {
                turns.push(contestant.turn());
            }
        }
        Self(turns)
    }

    /// The median for each contestant.
    pub fn medians(&self) -> Vec<f64> {
        self.0.iter().map(|turns| quantile(turns.clone(), 0.5)).collect()
    }

    /// Returns the time of one contestant over that of another: the median of the ratios turn by turn, since a
    /// disturbance mostly hits both in the same turn.
    pub fn ratio(&self, one: usize, other: usize) -> f64 {
        let ratios = self.0[one].iter().zip(&self.0[other]).map(|(one, other)| one / other);
        quantile(ratios.collect(), 0.5)
    }
}

/// The value below which this share of the values lies.
///
/// # Panics
///
/// There is no value.
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place among the values"
    )]
    let at = (as_float(values.len() - 1) * share).round() as usize;
    values[at]
}

/// The clock.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is the one place that asks what time it is"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds since an earlier time.
pub fn nanoseconds_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e9
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "no count here is near 2^52")]
pub fn as_float(count: usize) -> f64 {
    count as f64
}
