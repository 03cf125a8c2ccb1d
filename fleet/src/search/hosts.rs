//! Connections between the processes of a search: each listens at its own address, and calls those before it in the list.
//!
//! Timely's own set-up is not used: it waits for ever for a process that never comes, and says so on stdout.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::thread;
use std::time::Duration;

use crate::search::error::ExploreError;
use crate::search::options::Hosts;

/// Pause before a process that is not there yet is called again.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest that one call or one greeting takes.
const CALL: Duration = Duration::from_secs(1);
/// First bytes of a caller, so that nobody else is taken for a process of the search; then follows its number.
const GREETING: &[u8; 8] = b"rtproof1";

/// A connection to every other process of the list, in its order.
///
/// # Errors
///
/// If this process cannot listen at its address, or if another one does not come in about `hosts.wait`.
pub(crate) fn connect(hosts: &Hosts) -> Result<Vec<Option<TcpStream>>, ExploreError> {
    let own = &hosts.addresses[hosts.process];
    let network = |why: io::Error| ExploreError::Network(format!("`{own}`: {why}"));
    let listener = TcpListener::bind(own).map_err(network)?;
    listener.set_nonblocking(true).map_err(network)?;
    let mut streams: Vec<Option<TcpStream>> = hosts.addresses.iter().map(|_| None).collect();
    let mut waited = Duration::ZERO;
    loop {
        for (address, stream) in hosts.addresses[..hosts.process].iter().zip(&mut streams) {
            if stream.is_none() {
                *stream = call(address, hosts.process).ok();
            }
        }
        while let Ok((caller, _)) = listener.accept() {
            // A caller that does not greet is no process of the search.
            if let Ok((process, caller)) = greeted(caller)
                && process > hosts.process
                && let Some(stream) = streams.get_mut(process)
            {
                *stream = Some(caller);
            }
        }
        let mut others = (0..).zip(&streams).filter(|(process, _)| *process != hosts.process);
        let Some((absent, _)) = others.find(|(_, stream)| stream.is_none()) else {
            return Ok(streams);
        };
        if waited >= hosts.wait {
            return Err(ExploreError::Absent {
                process: absent,
                address: hosts.addresses[absent].clone(),
                seconds: hosts.wait.as_secs(),
            });
        }
        thread::park_timeout(PAUSE);
        waited += PAUSE;
    }
}

fn call(address: &str, process: usize) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for place in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, CALL) {
            Ok(mut stream) => {
                stream.set_nodelay(true)?;
                stream.write_all(GREETING)?;
                stream.write_all(&(process as u64).to_be_bytes())?;
                return Ok(stream);
            }
            Err(why) => last = why,
        }
    }
    Err(last)
}

fn greeted(mut caller: TcpStream) -> io::Result<(usize, TcpStream)> {
    caller.set_nonblocking(false)?;
    caller.set_nodelay(true)?;
    caller.set_read_timeout(Some(CALL))?;
    let (mut greeting, mut process) = ([0; GREETING.len()], [0; 8]);
    caller.read_exact(&mut greeting)?;
    caller.read_exact(&mut process)?;
    caller.set_read_timeout(None)?;
    if greeting != *GREETING {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let process = usize::try_from(u64::from_be_bytes(process)).map_err(io::Error::other)?;
    Ok((process, caller))
}
