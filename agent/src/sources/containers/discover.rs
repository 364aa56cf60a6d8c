//! Which container engines this host has, and whether the agent may use them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User};

use super::engine::{Engine, Flavour};

/// Where engines listen that run for the whole host, the likeliest first.
pub(super) const DEFAULT_SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];

/// Where engines listen that run for one user, below `/run/user/UID`.
const USER_SOCKETS: [&str; 2] = ["docker.sock", "podman/podman.sock"];

/// How long an engine may take to say what it is. Discovery is run by a person who waits.
const WAIT: Duration = Duration::from_secs(2);

/// A container engine of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its Unix socket, as `socket` in `[containers]` names it.
    pub socket: PathBuf,
    /// What the agent can do with it.
    pub access: Access,
}

/// What the agent can do with an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything this source needs.
    Readable {
        /// Whose engine it is.
        flavour: Flavour,
        /// Its version.
        version: String,
    },
    /// Nothing yet.
    Closed {
        /// Why not.
        why: String,
        /// What opens it: a command or a setting; empty where that is not known.
        fix: String,
    },
}

/// Looks for engines where they usually listen and asks each what it is.
pub async fn discover() -> Vec<Found> {
    discover_at(usual_sockets(Path::new("/run/user"))).await
}

/// Asks the engine behind each socket that exists what it is.
pub async fn discover_at(candidates: Vec<PathBuf>) -> Vec<Found> {
    let mut found = Vec::new();
    for socket in existing(candidates) {
        found.push(look_at(socket).await);
    }
    found
}

async fn look_at(socket: PathBuf) -> Found {
    let access = match Engine::probe(&socket, WAIT).await {
        Ok(facts) => Access::Readable {
            flavour: facts.flavour,
            version: facts.version,
        },
        Err(error) => Access::Closed {
            why: error.message,
            fix: error.hint,
        },
    };
    Found { socket, access }
}

fn usual_sockets(users: &Path) -> Vec<PathBuf> {
    let mut sockets: Vec<PathBuf> = DEFAULT_SOCKETS.iter().map(PathBuf::from).collect();
    let named = std::env::var("DOCKER_HOST").unwrap_or_default();
    sockets.extend(named.strip_prefix("unix://").map(PathBuf::from));
    if let Ok(users) = fs::read_dir(users) {
        for user in users.flatten() {
            sockets.extend(USER_SOCKETS.iter().map(|socket| user.path().join(socket)));
        }
    }
    sockets
}

/// The sockets that exist, each once: `/var/run` is usually a link to `/run`.
fn existing(mut sockets: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    sockets.retain(|socket| match socket.canonicalize() {
        Ok(place) => seen.insert(place),
        Err(_) => false,
    });
    sockets
}

/// What lets the agent use a socket that it may not use now.
pub(super) fn fix(socket: &Path) -> String {
    let group = fs::metadata(socket)
        .ok()
        .and_then(|socket| Group::from_gid(Gid::from_raw(socket.gid())).ok().flatten());
    let user = User::from_uid(Uid::effective()).ok().flatten();
    let user = user.map_or_else(|| Uid::effective().to_string(), |user| user.name);
    fix_for(
        socket,
        group.as_ref().map(|group| group.name.as_str()),
        &user,
    )
}

fn fix_for(socket: &Path, group: Option<&str>, user: &str) -> String {
    match group {
        // Nobody should be made a member of root's group for this.
        None | Some("root") => format!(
            "let the user {user} read and write {}: setfacl -m u:{user}:rw {}",
            socket.display(),
            socket.display()
        ),
        Some(group) => format!(
            "add the user {user} to the group {group} and restart the agent: usermod -aG {group} {user}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_exact_fix() {
        let docker = Path::new("/var/run/docker.sock");
        for (group, expected) in [
            (
                Some("docker"),
                "add the user nightshift to the group docker and restart the agent: usermod -aG docker nightshift",
            ),
            (
                Some("root"),
                "let the user nightshift read and write /var/run/docker.sock: setfacl -m u:nightshift:rw /var/run/docker.sock",
            ),
            (
                None,
                "let the user nightshift read and write /var/run/docker.sock: setfacl -m u:nightshift:rw /var/run/docker.sock",
            ),
        ] {
            assert_eq!(fix_for(docker, group, "nightshift"), expected);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_no_engine_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let user = folder.path().join("1000");
        fs::create_dir_all(user.join("podman")).unwrap();
        let socket = user.join("podman/podman.sock");
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert!(usual_sockets(folder.path()).contains(&socket));
        let twice = vec![socket.clone(), socket.clone()];
        assert_eq!(existing(twice), std::slice::from_ref(&socket));
        let Access::Closed { why, fix } = look_at(socket).await.access else {
            panic!("nobody listens there");
        };
        assert!(
            why.starts_with("nothing listens on the engine's socket"),
            "{why}"
        );
        assert_eq!(fix, "start the engine");
    }
}
