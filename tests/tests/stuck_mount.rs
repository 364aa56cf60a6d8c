//! A mounted file system that never answers, as one whose server is gone, and the host source.
//!
//! The file system is one of FUSE whose server, this test, says nothing. Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nightshift_agent::collect::{Gap, Gather, Source};
use nightshift_agent::sources::host::{Host, Settings};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use tests::parity::{Exposition, Key};

/// A mount that hangs for as long as its server is there.
struct Stuck {
    folder: tempfile::TempDir,
    server: Option<File>,
}

impl Stuck {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = File::options().read(true).write(true).open("/dev/fuse");
        let server = server.expect("the test needs root and /dev/fuse");
        // The mount command must inherit the file that the kernel is to ask.
        fcntl(&server, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&server);
        let options = format!("fd={number},rootmode=40000,user_id=0,group_id=0");
        let mounted = Command::new("mount")
            .args(["-i", "-t", "fuse", "stuck", "-o", &options])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(mounted.success());
        fcntl(&server, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        Self {
            folder,
            server: Some(server),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        // Without its server the mount no longer hangs, and can be taken away.
        self.server = None;
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

async fn look(host: &mut Host) -> (Exposition, Vec<Gap>) {
    let mut out = Gather::default();
    host.collect(&mut out).await.unwrap();
    let (families, gaps) = out.finish();
    (Exposition::of(&families), gaps)
}

/// The value of a family about the mount, and the error that its labels name.
fn of_mount(seen: &Exposition, name: &str, mount: &Path) -> Option<(f64, Option<String>)> {
    let path = mount.to_str().unwrap();
    let mut found = seen
        .series_named(name)
        .filter(|(key, _)| key.labels["mountpoint"] == path);
    let (Key { labels, .. }, value) = found.next()?;
    Some((value, labels.get("device_error").cloned()))
}

#[tokio::test]
async fn it_is_reported_and_stalls_nothing_else() {
    let mut stuck = Stuck::mount();
    let mount = stuck.path().to_owned();
    let mut host = Host::new(Settings {
        timeout: Duration::from_secs(4),
        ..Settings::default()
    });
    for _ in 0..2 {
        let (seen, gaps) = look(&mut host).await;
        let late = Some((1.0, Some("mountpoint timeout".into())));
        assert_eq!(
            of_mount(&seen, "node_filesystem_device_error", &mount),
            late
        );
        assert_eq!(of_mount(&seen, "node_filesystem_size_bytes", &mount), None);
        let root = of_mount(&seen, "node_filesystem_size_bytes", Path::new("/"));
        assert!(root.is_some_and(|(size, _)| size > 0.0));
        assert!(seen.series_named("node_load1").next().is_some());
        let what = format!("filesystem {}", mount.display());
        let gap = gaps.iter().find(|gap| gap.what == what);
        assert_eq!(gap.map(|gap| gap.why.as_str()), Some("it does not answer"));
    }

    // With the server ended, the call that hung returns, and the mount is asked again.
    stuck.server = None;
    let refused = Some((1.0, Some("Transport endpoint is not connected".into())));
    loop {
        let (seen, _) = look(&mut host).await;
        if of_mount(&seen, "node_filesystem_device_error", &mount) == refused {
            break;
        }
    }
}
