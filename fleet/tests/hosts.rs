//! A search that several processes share: here each of them is a thread, and the connections between them are real.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fleet::poll2::{Poll2, Poll2Bounds};
use fleet::{Ended, Exploration, ExploreError, ExploreOptions, Hosts, explore};

const PROTOCOL: Poll2Bounds = Poll2Bounds {
    replicas: 2,
    rows: 1,
    versions: 2,
    crash: true,
};

/// Addresses that nobody listens at.
fn addresses(count: usize) -> Vec<String> {
    let taken: Vec<_> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"))
        .collect();
    let address = |listener: &TcpListener| listener.local_addr().expect("an address").to_string();
    taken.iter().map(address).collect()
}

fn process(addresses: &[String], process: usize, wait: Duration) -> Result<Exploration<u64>, ExploreError> {
    let machine = Poll2::new(PROTOCOL).expect("bounds fit");
    let hosts = Hosts {
        addresses: addresses.to_vec(),
        process,
        wait,
    };
    let options = ExploreOptions {
        hosts: Some(hosts),
        threads: 2,
        ..ExploreOptions::default()
    };
    explore(&machine, &options, Arc::new(|_| {}))
}

#[test]
fn processes_count_what_one_does_whoever_else_calls() {
    let addresses = addresses(3);
    let reports: Vec<_> = thread::scope(|scope| {
        let run = |number| {
            let addresses = &addresses;
            scope.spawn(move || process(addresses, number, Duration::from_mins(1)))
        };
        let first = run(0);
        // Three strangers: one sends no known greeting, one names a process that does not exist, and one names the
        // process that listens.
        for greeting in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"rtproof1\0\0\0\0\0\0\0\x07",
            b"rtproof1\0\0\0\0\0\0\0\0",
        ] {
            let mut stranger = loop {
                match TcpStream::connect(&addresses[0]) {
                    Ok(stranger) => break stranger,
                    Err(_) => thread::yield_now(),
                }
            };
            stranger.write_all(greeting).expect("it is listened to");
        }
        let others = [run(1), run(2)];
        [first]
            .into_iter()
            .chain(others)
            .map(|run| run.join().expect("no panic"))
            .collect()
    });
    for report in reports {
        let report = report.expect("it runs");
        assert_eq!(report.ended, Ended::Exhausted);
        assert_eq!((report.distinct, report.generated, report.depth), (902, 4_074, 15));
    }
}

#[test]
fn a_process_that_does_not_come_is_named() {
    let addresses = addresses(3);
    let absent = |number, wait| {
        process(&addresses, number, wait)
            .expect_err("nobody else is there")
            .to_string()
    };
    assert_eq!(
        absent(0, Duration::from_secs(1)),
        format!(
            "process 1 at `{}` did not come in 1 s: start it, or wait longer",
            addresses[1]
        )
    );
    assert_eq!(
        absent(2, Duration::ZERO),
        format!(
            "process 0 at `{}` did not come in 0 s: start it, or wait longer",
            addresses[0]
        )
    );
    let _taken = TcpListener::bind(&addresses[1]).expect("it is free again");
    let taken = absent(1, Duration::ZERO);
    assert!(taken.contains(&addresses[1]) && taken.contains("in use"), "{taken}");
}
