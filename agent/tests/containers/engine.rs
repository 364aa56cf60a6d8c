//! A Docker engine of a test's own: its socket, its images and its containers, all below one
//! temporary folder, and nothing left when it is dropped.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The only image there is: busybox, statically linked, on nothing.
pub(crate) const IMAGE: &str = "nightshift/busybox:test";

const COMMANDS: [&str; 9] = [
    "sh", "sleep", "tail", "head", "tr", "test", "touch", "true", "dd",
];

/// An engine takes a third of a second to start; a minute is for a machine under load.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Engine {
    folder: TempDir,
    daemon: Option<Child>,
}

impl Engine {
    /// Starts an engine and gives it the image.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("nightshift-engine-")
            .tempdir()
            .unwrap();
        let mut engine = Self {
            folder,
            daemon: None,
        };
        engine.resume();
        engine.import_image();
        engine
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// Starts the engine again after [`Engine::stop`].
    pub(crate) fn resume(&mut self) {
        let folder = self.folder.path();
        // Without it the engine writes a key below /etc.
        let key = folder.join("key.json");
        let config = serde_json::json!({ "deprecated-key-path": key });
        fs::write(folder.join("daemon.json"), config.to_string()).unwrap();
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .unwrap();
        let flag = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
        let daemon = Command::new("dockerd")
            .args([
                "--iptables=false",
                "--ip6tables=false",
                "--ip-forward=false",
            ])
            .args(["--ip-masq=false", "--bridge=none", "--userland-proxy=false"])
            .args(["--storage-driver=vfs", "--shutdown-timeout=2"])
            .arg(flag("config-file", "daemon.json"))
            .arg(flag("data-root", "data"))
            .arg(flag("exec-root", "exec"))
            .arg(flag("pidfile", "docker.pid"))
            .arg(format!("--host=unix://{}", self.socket().display()))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("dockerd is installed (scripts/setup.sh)");
        self.daemon = Some(daemon);
        let until = Instant::now() + PATIENCE;
        while UnixStream::connect(self.socket()).is_err() || !self.answers() {
            let ended = self
                .daemon
                .as_mut()
                .and_then(|daemon| daemon.try_wait().unwrap());
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(ended.is_none(), "dockerd ended with {ended:?}:\n{log}");
            assert!(Instant::now() < until, "dockerd does not answer:\n{log}");
            std::thread::yield_now();
        }
    }

    fn answers(&self) -> bool {
        self.command(&["version"]).status.success()
    }

    /// Stops the engine and its containers.
    pub(crate) fn stop(&mut self) {
        let Some(mut daemon) = self.daemon.take() else {
            return;
        };
        let pid = Pid::from_raw(i32::try_from(daemon.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        daemon.wait().unwrap();
    }

    /// Stops the engine where it is, so that it accepts connections and says nothing.
    pub(crate) fn freeze(&self, frozen: bool) {
        let signal = if frozen {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        let daemon = self.daemon.as_ref().unwrap();
        let daemon = Pid::from_raw(i32::try_from(daemon.id()).unwrap());
        kill(daemon, signal).unwrap();
        if frozen {
            // Threads that run at that moment go on for another.
            waitpid(daemon, Some(WaitPidFlag::WUNTRACED)).unwrap();
        }
    }

    /// Runs a client command that must succeed, and gives what it printed.
    pub(crate) fn docker(&self, args: &[&str]) -> String {
        let output = self.command(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts a container and gives its id.
    pub(crate) fn run(&self, name: &str, options: &[&str], script: &str) -> String {
        let mut args = vec!["run", "--detach", "--network", "none", "--name", name];
        args.extend(options);
        args.extend([IMAGE, "/bin/sh", "-c", script]);
        self.docker(&args)
    }

    /// The device that holds the containers' files.
    pub(crate) fn device(&self) -> String {
        let output = Command::new("df")
            .arg("--output=source")
            .arg(self.folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().last().unwrap().trim().to_owned()
    }

    fn command(&self, args: &[&str]) -> Output {
        Command::new("docker")
            .arg("--host")
            .arg(format!("unix://{}", self.socket().display()))
            .args(args)
            .env_remove("DOCKER_CONTEXT")
            .env("DOCKER_CONFIG", self.folder.path())
            .output()
            .expect("docker is installed (scripts/setup.sh)")
    }

    fn import_image(&self) {
        let root = self.folder.path().join("image");
        let bin = root.join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy("/bin/busybox", bin.join("busybox")).expect("busybox-static is installed");
        for command in COMMANDS {
            symlink("busybox", bin.join(command)).unwrap();
        }
        let archive = self.folder.path().join("image.tar");
        pack(&root, &archive);
        self.docker(&["import", archive.to_str().unwrap(), IMAGE]);
    }
}

fn pack(root: &Path, archive: &Path) {
    let status = Command::new("tar")
        .arg("-C")
        .arg(root)
        .arg("-cf")
        .arg(archive)
        .arg(".")
        .status()
        .unwrap();
    assert!(status.success());
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.daemon.is_none() {
            return;
        }
        self.freeze(false);
        // Containers first: the engine gives each some seconds to end by itself.
        let ids = String::from_utf8_lossy(&self.command(&["ps", "-aq"]).stdout).into_owned();
        let ids: Vec<&str> = ids.split_whitespace().collect();
        if !ids.is_empty() {
            self.command(&[&["rm", "--force", "--volumes"], ids.as_slice()].concat());
        }
        self.stop();
    }
}
