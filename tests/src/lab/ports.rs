//! Free TCP ports for the servers of a lab.
//!
//! A port is found free by binding it and letting go again, so between the letting go and the server's
//! own bind another lab could choose the same one. To shut that gap for every lab of this machine, a
//! port is claimed first, by an abstract Unix socket of its name: the kernel grants such a name once
//! and takes it back when the process that holds it ends, however it ends.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Below the range from which Linux hands out ports for outgoing connections (32768 upwards), so that
/// none of these takes the port before the server does.
const RANGE: Range<u16> = 20_000..32_000;

/// A port of the loopback interface that no other lab uses while this value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: UnixListener,
}

impl Port {
    /// Claims a port that is free now.
    pub fn claim() -> io::Result<Self> {
        let start = rand::random_range(RANGE);
        (start..RANGE.end)
            .chain(RANGE.start..start)
            .find_map(Self::try_claim)
            .ok_or_else(|| io::Error::other(format!("no free port in {RANGE:?}")))
    }

    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    fn try_claim(number: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("nightshift-port-{number}")).ok()?;
        let claim = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self {
            number,
            _claim: claim,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice_while_it_is_held() {
        let ports: Vec<Port> = (0..200).map(|_| Port::claim().unwrap()).collect();
        let numbers: HashSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 200);
        assert!(numbers.iter().all(|number| RANGE.contains(number)));
    }

    #[test]
    fn a_held_or_listened_port_is_refused() {
        let held = Port::claim().unwrap();
        assert!(Port::try_claim(held.number()).is_none());
        let number = held.number();
        drop(held);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).unwrap();
        assert!(Port::try_claim(number).is_none());
        drop(listener);
    }
}
