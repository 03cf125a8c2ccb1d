//! The exchange between the workers of a search: threads, processes and hosts through one timely dataflow.
//!
//! The dataflow is one exchange: what a worker sends to another arrives in the other's inbox. All workers call the same
//! methods in the same order, and timely's progress tracking says when everything that was sent has arrived. So a worker
//! that is ahead waits for the slowest ([`Fabric::pump`]), which bounds what lies in the queues, and all meet
//! between two levels ([`Fabric::gather`]).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ::timely::container::CapacityContainerBuilder;
use ::timely::dataflow::channels::pact::Exchange;
use ::timely::dataflow::operators::{Input, Operator, Probe};
use ::timely::dataflow::{InputHandle, ProbeHandle};
use ::timely::worker::Worker;
use serde::{Deserialize, Serialize};

/// The most rounds of sending that a worker may be ahead of the slowest.
const ROUNDS_AHEAD_MAX: u64 = 4;
/// Rounds of sending that one meeting can follow: each worker counts its own, and a meeting evens them out.
const ROUNDS_MAX: u64 = 1 << 40;
/// The longest that a waiting worker sleeps before it looks again.
const WAIT_MS: u64 = 10;

#[derive(Clone, Serialize, Deserialize)]
enum Parcel<S, N> {
    States(Vec<S>),
    Note(N),
}

/// The number of the receiver, the number of the meeting before which it was sent, and the parcel.
type Sent<S, N> = (u64, u64, Parcel<S, N>);
type Inbox<S, N> = Rc<RefCell<Vec<Sent<S, N>>>>;
type Outbox<S, N> = InputHandle<u64, CapacityContainerBuilder<Vec<Sent<S, N>>>>;

/// A value that can be sent from worker to worker.
pub(crate) trait Message: Clone + Send + Serialize + for<'de> Deserialize<'de> + 'static {}

impl<T: Clone + Send + Serialize + for<'de> Deserialize<'de> + 'static> Message for T {}

/// One worker's end of the exchange: `S` is what is sent in bulk, `N` the notes that all workers swap when they meet.
pub(crate) struct Fabric<'w, S: Message, N: Message> {
    worker: &'w mut Worker,
    outbox: Outbox<S, N>,
    inbox: Inbox<S, N>,
    probe: ProbeHandle<u64>,
    notes: Vec<N>,
    meeting: u64,
    round: u64,
}

/// A worker left before the meeting: its own error says why.
pub(crate) struct PeerLeft;

impl<'w, S: Message, N: Message> Fabric<'w, S, N> {
    /// Joins the exchange; every worker does so once.
    pub(crate) fn join(worker: &'w mut Worker) -> Self {
        let mut outbox = Outbox::new();
        let inbox = Inbox::default();
        let delivered = Rc::clone(&inbox);
        let probe = ProbeHandle::new();
        worker.dataflow(|scope| {
            let pact = Exchange::new(|(to, _, _): &Sent<S, N>| *to);
            scope
                .input_from(&mut outbox)
                .unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(pact, "deliver", |_, _| {
                    move |input, _| {
                        input.for_each_stamp(|_, parcels| {
                            delivered.borrow_mut().extend(parcels.flat_map(std::mem::take));
                        });
                    }
                })
                .probe_with(&probe);
        });
        Self {
            worker,
            outbox,
            inbox,
            probe,
            notes: Vec::new(),
            meeting: 0,
            round: 0,
        }
    }

    /// Returns the number of this worker.
    pub(crate) fn index(&self) -> usize {
        self.worker.index()
    }

    /// Returns the number of workers.
    pub(crate) fn peers(&self) -> usize {
        self.worker.peers()
    }

    /// Sends `states` to the worker of number `to`.
    pub(crate) fn send(&mut self, to: usize, states: Vec<S>) {
        self.outbox.send((to as u64, self.meeting, Parcel::States(states)));
    }

    /// Ends a round of sending, hands over what has arrived and waits for those who are too far behind.
    pub(crate) fn pump(&mut self, mut receive: impl FnMut(Vec<S>)) {
        if self.peers() == 1 {
            return;
        }
        self.round += 1;
        assert!(self.round < ROUNDS_MAX, "a level has fewer rounds");
        self.outbox.advance_to(self.meeting * ROUNDS_MAX + self.round);
        self.worker.step();
        self.deliver(&mut receive);
        let behind = self.meeting * ROUNDS_MAX + self.round.saturating_sub(ROUNDS_AHEAD_MAX);
        self.wait_for(behind, &mut receive);
    }

    /// Meets all workers: hands over everything that was sent before, and returns the notes of all in the workers' order.
    ///
    /// # Errors
    ///
    /// If a worker has left.
    pub(crate) fn gather(&mut self, note: &N, mut receive: impl FnMut(Vec<S>)) -> Result<Vec<N>, PeerLeft> {
        for to in 0..self.peers() {
            self.outbox.send((to as u64, self.meeting, Parcel::Note(note.clone())));
        }
        let met = (self.meeting + 1) * ROUNDS_MAX;
        self.outbox.advance_to(met);
        self.wait_for(met, &mut receive);
        // What was here before the wait needs no step of the dataflow to be handed over.
        self.deliver(&mut receive);
        self.meeting += 1;
        self.round = 0;
        let notes = std::mem::take(&mut self.notes);
        if notes.len() < self.peers() {
            Err(PeerLeft)
        } else {
            Ok(notes)
        }
    }

    fn wait_for(&mut self, time: u64, receive: &mut impl FnMut(Vec<S>)) {
        while self.probe.less_than(&time) {
            self.worker.step_or_park(Some(Duration::from_millis(WAIT_MS)));
            self.deliver(receive);
        }
    }

    /// Hands over what was sent before the next meeting. A worker that has met the others already may send for the one
    /// after: that stays in the inbox.
    fn deliver(&mut self, receive: &mut impl FnMut(Vec<S>)) {
        let mut inbox = self.inbox.borrow_mut();
        let arrived = std::mem::take(&mut *inbox);
        for (to, meeting, parcel) in arrived {
            match parcel {
                parcel if meeting > self.meeting => inbox.push((to, meeting, parcel)),
                Parcel::States(states) => receive(states),
                Parcel::Note(note) => self.notes.push(note),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    /// Returns the results of two workers.
    fn two<T: Send + 'static>(work: impl Fn(Fabric<'_, u64, u64>) -> T + Send + Sync + 'static) -> [T; 2] {
        let workers = ::timely::execute(::timely::Config::process(2), move |worker| work(Fabric::join(worker)));
        let made: Vec<T> = workers
            .expect("the threads start")
            .join()
            .into_iter()
            .map(|made| made.expect("no worker panics"))
            .collect();
        made.try_into().ok().expect("two workers were asked for")
    }

    #[test]
    fn a_worker_that_is_ahead_waits_for_the_slowest() {
        const ROUNDS: u64 = 3 * ROUNDS_AHEAD_MAX;
        let (pumped, wait) = channel();
        let wait = Mutex::new(wait);
        let [fast, slow] = two(move |mut fabric| {
            for note in 0..2 {
                assert!(fabric.gather(&note, |_| {}).is_ok(), "both are here");
            }
            let me = fabric.index();
            let rounds_of_the_fast = (me == 1).then(|| {
                let wait = wait.lock().expect("no worker panics");
                let first = (0..ROUNDS_AHEAD_MAX).all(|_| wait.recv_timeout(Duration::from_secs(10)).is_ok());
                // One that does not wait pumps once more meanwhile.
                (first, wait.recv_timeout(Duration::from_millis(50)).is_ok())
            });
            let mut arrived = Vec::new();
            let mut late = 0;
            for round in 1..=ROUNDS {
                fabric.send(1 - me, vec![round]);
                fabric.pump(|states| arrived.extend(states));
                late += usize::from((arrived.len() as u64) < round.saturating_sub(ROUNDS_AHEAD_MAX));
                if me == 0 {
                    pumped.send(()).expect("the receiver lives as long as the workers");
                }
            }
            let met = fabric.gather(&2, |states| arrived.extend(states)).is_ok();
            (met, arrived, late, rounds_of_the_fast)
        });
        let all: Vec<u64> = (1..=ROUNDS).collect();
        assert_eq!(fast, (true, all.clone(), 0, None));
        assert_eq!(slow, (true, all, 0, Some((true, false))));
    }

    #[test]
    fn a_meeting_that_a_worker_has_left_is_an_error() {
        let met = two(|mut fabric| {
            let stays = fabric.index() == 0;
            stays.then(|| fabric.gather(&0, |_| {}).is_ok())
        });
        assert_eq!(met, [Some(false), None]);
    }
}
