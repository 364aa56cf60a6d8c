//! Which processes of a name run on this host, and on which TCP ports they listen: the raw
//! material of discovery. What cannot be read (another user's process, say) is left out.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process, all_processes};

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its id.
    pub pid: i32,
    /// Its command line, the program first.
    pub arguments: Vec<String>,
    /// Its working folder, which its relative paths start from.
    pub folder: Option<PathBuf>,
    /// The TCP addresses that it listens on; empty also where they cannot be read.
    pub addresses: Vec<SocketAddr>,
}

/// Processes whose program is called `name`, in this host's network: those in containers have
/// addresses that mean nothing here.
#[must_use]
pub fn listeners(name: &str) -> Vec<Listener> {
    let Ok(processes) = all_processes() else {
        return Vec::new();
    };
    let network = network_of("self");
    processes
        .flatten()
        .filter(|process| process.stat().is_ok_and(|stat| stat.comm == name))
        .filter(|process| {
            network_of(&process.pid().to_string()).is_none_or(|its| Some(its) == network)
        })
        .map(|process| Listener {
            pid: process.pid(),
            arguments: process.cmdline().unwrap_or_default(),
            folder: process.cwd().ok(),
            addresses: addresses(&process),
        })
        .collect()
}

impl Listener {
    /// A path as this process means it.
    #[must_use]
    pub fn resolve(&self, path: &str) -> PathBuf {
        match &self.folder {
            Some(folder) => folder.join(path),
            None => PathBuf::from(path),
        }
    }
}

fn network_of(pid: &str) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

fn addresses(process: &Process) -> Vec<SocketAddr> {
    let Ok(open) = process.fd() else {
        return Vec::new();
    };
    let sockets: HashSet<u64> = open
        .flatten()
        .filter_map(|file| match file.target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        })
        .collect();
    let is_its =
        |entry: &TcpNetEntry| entry.state == TcpState::Listen && sockets.contains(&entry.inode);
    let entries = [process.tcp(), process.tcp6()];
    let mut found: Vec<SocketAddr> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(is_its)
        .map(|entry| entry.local_address)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The address under which a socket bound to `address` is reached from this host.
#[must_use]
pub fn reachable(address: SocketAddr) -> SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    match address.ip() {
        // A socket bound to all of IPv6 takes IPv4 too on nearly every host.
        ip if ip.is_unspecified() && ip.is_ipv4() => {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
        }
        ip if ip.is_unspecified() => {
            SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), address.port())
        }
        _ => address,
    }
}
