//! A Docker engine of the lab's own, and containers in it that are well, ill, or killed.
//!
//! Nothing of it reaches the rest of the machine: no bridge and no packet filter; its data, sockets and
//! keys are in the lab's folder; it runs in a mount namespace of its own with an empty `/run`, so that
//! what it mounts, and the sockets that containerd's shims make there, end with its last process. The
//! control groups of its containers bear the name of the lab's folder, by which the undertaker finds
//! them. There is no registry either: the one image is made of the machine's static busybox.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use serde_json::Value;

use super::account::Account;
use super::folder::Folder;
use super::launch::Launch;
use super::process::Process;
use crate::wait::{GENEROUS, wait_for};

const NAME: &str = "docker";
const BUSYBOX: &str = "/bin/busybox";
const IMAGE: &str = "lab/busybox";
/// Ends at once when asked to, which a shell as the first process of a container otherwise ignores.
const SERVE: &str = "trap 'exit 0' TERM; while :; do sleep 0.2; done";
/// How often the health of the lab's containers is checked.
const HEALTH_INTERVAL: &str = "500ms";

/// A running engine.
#[derive(Debug)]
pub struct Docker {
    /// Its latest start, which may have ended.
    process: Mutex<Process>,
    folder: Arc<Folder>,
}

/// A container by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    name: String,
    id: String,
}

impl Container {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All 64 digits of its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Display for Container {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Docker {
    /// An error that says why if no engine can be started by this user on this machine.
    pub fn available() -> Result<()> {
        ensure!(geteuid().is_root(), "only root can start a Docker engine");
        for program in ["/usr/sbin/dockerd", BUSYBOX] {
            ensure!(
                Path::new(program).exists(),
                "{program} is missing; scripts/setup.sh installs it"
            );
        }
        ensure!(
            Path::new("/sys/fs/cgroup").read_dir()?.next().is_some(),
            "no control groups are mounted"
        );
        Ok(())
    }

    pub(super) async fn start(folder: &Arc<Folder>) -> Result<Self> {
        Self::available()?;
        let process = folder.start(&engine(folder)?)?;
        let docker = Self {
            process: Mutex::new(process),
            folder: Arc::clone(folder),
        };
        if let Err(error) = docker.prepare().await {
            // A lab that can do without Docker goes on, and a half-started engine is of no use to it.
            docker.process().kill().await?;
            return Err(error);
        }
        Ok(docker)
    }

    /// Stops the engine in order, and with it its containers; its socket vanishes.
    pub async fn stop(&self) -> Result<()> {
        let status = self.process().stop(Signal::SIGTERM).await?;
        ensure!(status.success(), "the engine stopped with {status}");
        ensure!(!self.socket().exists(), "the engine left its socket");
        Ok(())
    }

    /// Starts the engine after a stop, and waits until it answers. Containers with a restart policy
    /// come back.
    pub async fn start_again(&self) -> Result<()> {
        let process = self.folder.start(&engine(&self.folder)?)?;
        *self.locked() = process;
        self.answers().await
    }

    /// The path of its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket(&self.folder)
    }

    /// The engine's process.
    #[must_use]
    pub fn process(&self) -> Process {
        self.locked().clone()
    }

    /// Runs `docker` with these words and returns what it printed.
    pub async fn cli(&self, words: &[&str]) -> Result<String> {
        let host = format!("unix://{}", self.socket().display());
        let client = Launch::new("docker-client", "docker", Account::Own)
            // Its own settings are read from, and written to, the home of the user otherwise.
            .env("DOCKER_CONFIG", ".")
            .args(["--host", &host])
            .args(words);
        self.folder.run(&client).await
    }

    /// Starts a container of the lab's image. `options` come before the image: `["--memory", "16m"]`.
    pub async fn run(&self, name: &str, options: &[&str], command: &[&str]) -> Result<Container> {
        let mut words = vec!["run", "--detach", "--network", "none", "--name", name];
        words.extend(options);
        words.push(IMAGE);
        words.extend(command);
        let id = self.cli(&words).await?.trim().to_owned();
        Ok(Container {
            name: name.to_owned(),
            id,
        })
    }

    /// A container whose health check passes, once it has.
    pub async fn run_healthy(&self, name: &str) -> Result<Container> {
        let options = ["--health-cmd", "true", "--health-interval", HEALTH_INTERVAL];
        let container = self.run(name, &options, &["sh", "-c", SERVE]).await?;
        self.reaches(&container, "/State/Health/Status", "healthy")
            .await?;
        Ok(container)
    }

    /// A container whose health check fails, once it has failed often enough.
    pub async fn run_unhealthy(&self, name: &str) -> Result<Container> {
        let options = ["--health-cmd", "false", "--health-retries", "1"];
        let options = [&options[..], &["--health-interval", HEALTH_INTERVAL]].concat();
        let container = self.run(name, &options, &["sh", "-c", SERVE]).await?;
        self.reaches(&container, "/State/Health/Status", "unhealthy")
            .await?;
        Ok(container)
    }

    /// A container that the kernel has killed because it went over its memory limit of 16 MB.
    pub async fn run_oom(&self, name: &str) -> Result<Container> {
        // Swap at the same limit, where there is any, so that there is no way around.
        let options = ["--memory", "16m", "--memory-swap", "16m"];
        let container = self.run(name, &options, &["tail", "/dev/zero"]).await?;
        self.reaches(&container, "/State/Status", "exited").await?;
        Ok(container)
    }

    /// A container that fails and is started again over and over, once it has been restarted.
    pub async fn run_restarting(&self, name: &str) -> Result<Container> {
        let options = ["--restart", "always"];
        let container = self.run(name, &options, &["sh", "-c", "exit 3"]).await?;
        wait_for("container is restarted", GENEROUS, || async {
            let restarts = self.inspect(&container).await?["RestartCount"].as_u64();
            ensure!(restarts > Some(0), "restart count {restarts:?}");
            Ok(())
        })
        .await?;
        Ok(container)
    }

    /// What `docker inspect` says of a container.
    pub async fn inspect(&self, container: &Container) -> Result<Value> {
        let said = self.cli(&["inspect", &container.id]).await?;
        let mut said: Vec<Value> = serde_json::from_str(&said).context("parse docker inspect")?;
        said.pop()
            .with_context(|| format!("docker inspect {container} says nothing"))
    }

    /// Removes a container, running or not.
    pub async fn remove(&self, container: &Container) -> Result<()> {
        self.cli(&["rm", "--force", &container.id]).await.map(drop)
    }

    async fn reaches(&self, container: &Container, field: &str, expected: &str) -> Result<()> {
        wait_for("container reaches its state", GENEROUS, || async {
            let inspected = self.inspect(container).await?;
            match inspected.pointer(field).and_then(Value::as_str) {
                Some(seen) if seen == expected => Ok(()),
                seen => bail!("{container}: {field} is {seen:?}, not {expected}"),
            }
        })
        .await
    }

    async fn prepare(&self) -> Result<()> {
        self.answers().await?;
        self.make_image().await
    }

    async fn answers(&self) -> Result<()> {
        let process = self.process();
        wait_for("Docker answers", GENEROUS, || async {
            match process.check_running() {
                Ok(()) => self.cli(&["version"]).await.map(|_| Ok(())),
                Err(ended) => Ok(Err(ended)),
            }
        })
        .await?
    }

    fn locked(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Busybox alone, with the names under which the lab calls it.
    async fn make_image(&self) -> Result<()> {
        let bin = self.folder.path().join("docker-image/bin");
        fs::create_dir_all(&bin).with_context(|| format!("make {}", bin.display()))?;
        fs::copy(BUSYBOX, bin.join("busybox")).context("copy busybox")?;
        for name in [
            "sh", "sleep", "tail", "true", "false", "cat", "dd", "echo", "head", "wc",
        ] {
            symlink("busybox", bin.join(name)).with_context(|| format!("link {name}"))?;
        }
        let tar = Launch::new("docker-image", "tar", Account::Own);
        self.folder
            .run(&tar.args(["--create", "--file", "image.tar", "bin"]))
            .await?;
        let archive = self.folder.path().join("docker-image/image.tar");
        let archive = archive.display().to_string();
        let import = ["import", "--change", "ENV PATH=/bin", &archive, IMAGE];
        self.cli(&import).await.map(drop)
    }
}

fn engine(folder: &Folder) -> Result<Launch> {
    let home = folder.path().join(NAME);
    let inside = |name: &str| home.join(name).display().to_string();
    // Otherwise a key is written to /etc/docker.
    let options = serde_json::json!({ "deprecated-key-path": inside("key.json") }).to_string();
    folder.write(format!("{NAME}/options.json"), &options)?;
    let lab = folder
        .path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let engine = Launch::new(NAME, "unshare", Account::Own)
        .args(["--mount", "--propagation", "private", "sh", "-c"])
        .args(["mount -t tmpfs tmpfs /run && exec \"$@\"", "sh", "dockerd"])
        .args(["--iptables=false", "--ip6tables=false"])
        .args(["--ip-forward=false", "--ip-masq=false", "--bridge=none"])
        .args(["--userland-proxy=false", "--storage-driver=vfs"])
        // On a machine with systemd the engine would ask it for control groups of other names.
        .args(["--exec-opt", "native.cgroupdriver=cgroupfs"])
        .args([
            "--shutdown-timeout",
            "2",
            "--cgroup-parent",
            &format!("/{lab}"),
        ])
        .args(["--config-file", &inside("options.json")])
        .args(["--pidfile", &inside("engine.pid")])
        .args([
            "--data-root",
            &inside("data"),
            "--exec-root",
            &inside("exec"),
        ])
        .args(["--host", &format!("unix://{}", socket(folder).display())]);
    Ok(engine)
}

fn socket(folder: &Folder) -> PathBuf {
    folder.path().join(NAME).join("docker.sock")
}
