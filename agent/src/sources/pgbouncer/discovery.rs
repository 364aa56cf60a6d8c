//! Finds PgBouncers on this host by their process, their sockets and their configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::super::listening::{Listener, listeners, reachable};
use super::PORT;

/// A PgBouncer that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The host to connect to, or the folder of its socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its configuration file, where the command line names one.
    pub config: Option<PathBuf>,
    /// A user who may read statistics, where the file could be read and names one.
    pub user: Option<String>,
}

/// What matters in a configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    pub(super) address: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) socket_folder: Option<String>,
    pub(super) user: Option<String>,
}

/// PgBouncers that run on this host.
#[must_use]
pub fn discover() -> Vec<Candidate> {
    listeners("pgbouncer").into_iter().map(candidate).collect()
}

fn candidate(listener: Listener) -> Candidate {
    let config = config_path(&listener.arguments).map(|path| listener.resolve(path));
    let file = config
        .as_ref()
        .and_then(|path| std::fs::read_to_string(path).ok())
        .map(|text| read(&text))
        .unwrap_or_default();
    let port = file.port.unwrap_or(PORT);
    let socket = listener.addresses.first().copied().map(reachable);
    let (host, port) = match (socket, &file.address) {
        (Some(socket), _) => (socket.ip().to_string(), socket.port()),
        (None, Some(address)) => (reachable_text(address), port),
        (None, None) => {
            let folder = file.socket_folder.clone();
            (folder.unwrap_or_else(|| "/tmp".to_owned()), port)
        }
    };
    Candidate {
        host,
        port,
        config,
        user: file.user,
    }
}

/// The first argument that is no option, nor an option's value.
fn config_path(arguments: &[String]) -> Option<&str> {
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-u" | "--user" => {
                rest.next();
            }
            option if option.starts_with('-') => {}
            path => return Some(path),
        }
    }
    None
}

pub(super) fn read(text: &str) -> File {
    let mut file = File::default();
    let mut is_ours = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_ours = line == "[pgbouncer]";
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        if !is_ours || line.starts_with([';', '#']) {
            continue;
        }
        let first = value.split(',').next().unwrap_or_default().trim();
        if first.is_empty() {
            continue;
        }
        match key.trim() {
            "listen_addr" => file.address = Some(first.to_owned()),
            "listen_port" => file.port = first.parse().ok(),
            "unix_socket_dir" => file.socket_folder = Some(first.to_owned()),
            "stats_users" => file.user = Some(first.to_owned()),
            "admin_users" if file.user.is_none() => file.user = Some(first.to_owned()),
            _ => {}
        }
    }
    file
}

fn reachable_text(address: &str) -> String {
    match format!("{address}:0").parse::<SocketAddr>() {
        Ok(socket) => reachable(socket).ip().to_string(),
        Err(_) if address == "*" => "127.0.0.1".to_owned(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let text = "[databases]\nlisten_port = 1\n[pgbouncer]\n; listen_port = 2\nlisten_port=6543\nlisten_addr = 10.0.0.1, 10.0.0.2\nstats_users = stats, other\nadmin_users = root\n[users]\nlisten_addr=x";
        let expected = File {
            address: Some("10.0.0.1".to_owned()),
            port: Some(6543),
            socket_folder: None,
            user: Some("stats".to_owned()),
        };
        assert_eq!(read(text), expected);
        assert_eq!(read(""), File::default());
        assert_eq!(
            read("[pgbouncer]\nlisten_port = x\nlisten_addr ="),
            File::default()
        );
    }

    #[test]
    fn command_lines() {
        for (line, expected) in [
            (
                "pgbouncer -d /etc/pgbouncer.ini",
                Some("/etc/pgbouncer.ini"),
            ),
            ("pgbouncer -u postgres x.ini", Some("x.ini")),
            ("pgbouncer -V", None),
            ("", None),
        ] {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(config_path(&arguments), expected, "{line}");
        }
    }
}
