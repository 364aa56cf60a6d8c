//! Programs of others that the collector is tested with: each ends with its test.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A program that ends with the test.
pub(crate) struct Peer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Free a moment ago; these programs take no port 0 that they would tell.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

pub(crate) fn spawn(program: &str, arguments: &[String], address: SocketAddr) -> Peer {
    let child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} (scripts/setup.sh installs it): {error}"));
    Peer { child, address }
}

/// Prometheus with this configuration; its data lie in `folder`.
pub(crate) fn prometheus(folder: &Path, config: &str, more: &[&str]) -> Peer {
    prometheus_at(free_address(), folder, config, more)
}

/// The same at an address, which its own configuration may name.
pub(crate) fn prometheus_at(
    address: SocketAddr,
    folder: &Path,
    config: &str,
    more: &[&str],
) -> Peer {
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let own = [
        format!("--config.file={}", file.display()),
        format!("--storage.tsdb.path={}", folder.join("theirs").display()),
        format!("--web.listen-address={address}"),
    ];
    let more = more.iter().map(|&argument| argument.to_owned());
    let arguments: Vec<String> = own.into_iter().chain(more).collect();
    spawn("prometheus", &arguments, address)
}
