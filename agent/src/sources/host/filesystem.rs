//! Mounted file systems: which there are, from mountinfo, and how full they are, from [`statfs`].
//!
//! [`statfs`]: super::statfs

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use wire::metric::{Label, Text};

use super::files::{Failure, Files};
use super::settings::Settings;
use super::statfs::{Answer, Asker, Room};
use crate::collect::Gather;

/// A mounted file system that is to be reported.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mount {
    device: String,
    /// As the host sees it, without the root that an agent in a container looks through.
    mountpoint: String,
    kind: String,
    /// `major:minor` of the device.
    number: String,
    access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Access {
    ReadOnly,
    ReadWrite,
}

/// The mounts of the host, without those that are to be left out.
pub(super) fn mounts(files: &mut Files, settings: &Settings) -> Result<Vec<Mount>, Failure> {
    let mut mounts = Vec::new();
    let read = |files: &mut Files, file: &str, mounts: &mut Vec<Mount>| {
        files.proc_lines(file, |line| {
            let mount = parse(line)?;
            let ignored = settings.filesystem_ignore_types.matches(&mount.kind)
                || settings.filesystem_ignore_mounts.matches(&mount.mountpoint);
            // The same file system may be mounted at the same place more than once.
            if !ignored && !mounts.iter().any(|known| known.series() == mount.series()) {
                mounts.push(mount);
            }
            Some(())
        })
    };
    // The first process sees what the host mounts; an agent that may not look sees its own mounts.
    match read(files, "1/mountinfo", &mut mounts) {
        Err(Failure::Absent(_) | Failure::Unreadable { .. }) => {
            read(files, "self/mountinfo", &mut mounts)?;
        }
        outcome => outcome?,
    }
    Ok(mounts)
}

/// `36 35 98:0 /root /mount rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=continue`
fn parse(line: &str) -> Option<Mount> {
    let (mount, system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(2);
    let number = mount.next()?;
    let mountpoint = mount.nth(1)?;
    let options = mount.next()?;
    let mut system = system.split(' ');
    let kind = system.next()?;
    let device = system.next()?;
    let own_options = system.next().unwrap_or_default();
    let mut all_options = options.split(',').chain(own_options.split(','));
    Some(Mount {
        device: plain(device),
        mountpoint: plain(mountpoint),
        kind: plain(kind),
        number: number.to_owned(),
        access: if all_options.any(|option| option == "ro") {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        },
    })
}

/// Undoes the kernel's escapes: `\040` for a space, and the like.
fn plain(word: &str) -> String {
    let mut parts = word.split('\\');
    let mut plain = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(byte) => {
                plain.push(byte);
                plain.extend_from_slice(&part.as_bytes()[3..]);
            }
            None => {
                plain.push(b'\\');
                plain.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

impl Mount {
    /// What tells its series from those of others.
    fn series(&self) -> (&str, &str, &str) {
        (&self.device, &self.mountpoint, &self.kind)
    }

    fn labels(&self, error: Option<Text>) -> Vec<Label> {
        let mut labels = vec![
            Label::new("device", self.device.clone()),
            Label::new("mountpoint", self.mountpoint.clone()),
            Label::new("fstype", self.kind.clone()),
        ];
        if let Some(error) = error {
            labels.push(Label::new("device_error", error));
        }
        labels
    }
}

/// Asks each mount how full it is, and gives the families about mounts.
pub(super) async fn collect(
    mounts: &[Mount],
    root: &Path,
    asker: &mut Asker,
    bound: Duration,
    out: &mut Gather,
) {
    // A mount may hide another at the same place; both are the one on top.
    let mut places: Vec<PathBuf> = Vec::new();
    let mut place_of = HashMap::new();
    for mount in mounts {
        place_of
            .entry(mount.mountpoint.as_str())
            .or_insert_with(|| {
                places.push(root.join(mount.mountpoint.trim_start_matches('/')));
                places.len() - 1
            });
    }
    match asker.ask(&places, bound).await {
        Ok(answers) => {
            for mount in mounts {
                report(mount, answers[place_of[mount.mountpoint.as_str()]], out);
            }
        }
        Err(error) => out.gap(
            "filesystem",
            format!("no thread could be started: {error}"),
            "raise the limit on tasks of the agent's service",
        ),
    }
}

fn report(mount: &Mount, answer: Answer, out: &mut Gather) {
    let error = match answer {
        Answer::Room(_) => None,
        Answer::Late => Some(Text::from("mountpoint timeout")),
        Answer::Refused(errno) => Some(Text::from(errno.desc())),
    };
    let failed = f64::from(u8::from(error.is_some()));
    let labels = mount.labels(error);
    out.gauge(
        "node_filesystem_device_error",
        "Whether an error occurred while getting statistics for the given device.",
    )
    .point(labels.clone(), failed);
    out.gauge("node_filesystem_readonly", "Filesystem read-only status.")
        .point(
            labels.clone(),
            f64::from(u8::from(mount.access == Access::ReadOnly)),
        );
    if let Some((major, minor)) = mount.number.split_once(':') {
        let labels = [
            ("device", mount.device.clone()),
            ("major", major.to_owned()),
            ("minor", minor.to_owned()),
            ("mountpoint", mount.mountpoint.clone()),
        ];
        out.gauge(
            "node_filesystem_mount_info",
            "Filesystem mount information.",
        )
        .with(labels, 1.0);
    }
    match answer {
        Answer::Room(room) => report_room(&labels, room, out),
        Answer::Late => out.gap(
            format!("filesystem {}", mount.mountpoint),
            "it does not answer",
            "bring its server back, or detach it with umount -l",
        ),
        Answer::Refused(errno) => out.gap(
            format!("filesystem {}", mount.mountpoint),
            errno.desc(),
            remedy(errno),
        ),
    }
}

fn remedy(errno: Errno) -> &'static str {
    match errno {
        Errno::EACCES | Errno::EPERM => {
            "let the agent's user look at it, or add it to filesystem_ignore_mounts"
        }
        _ => "",
    }
}

fn report_room(labels: &[Label], room: Room, out: &mut Gather) {
    for (family, help, value) in [
        (
            "node_filesystem_size_bytes",
            "Filesystem size in bytes.",
            room.size,
        ),
        (
            "node_filesystem_free_bytes",
            "Filesystem free space in bytes.",
            room.free,
        ),
        (
            "node_filesystem_avail_bytes",
            "Filesystem space available to non-root users in bytes.",
            room.available,
        ),
        (
            "node_filesystem_files",
            "Filesystem total file nodes.",
            room.files,
        ),
        (
            "node_filesystem_files_free",
            "Filesystem total free file nodes.",
            room.files_free,
        ),
    ] {
        out.gauge(family, help).point(labels.to_vec(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_mountinfo() {
        let mount = |device: &str, mountpoint: &str, kind: &str, number: &str, access| {
            Some(Mount {
                device: device.into(),
                mountpoint: mountpoint.into(),
                kind: kind.into(),
                number: number.into(),
                access,
            })
        };
        for (line, expected) in [
            (
                "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw",
                mount("/dev/root", "/mnt2", "ext3", "98:0", Access::ReadWrite),
            ),
            (
                r"36 35 0:9 / /a\040b\134c ro - nfs4 srv:/e\011x rw",
                mount("srv:/e\tx", r"/a b\c", "nfs4", "0:9", Access::ReadOnly),
            ),
            (
                "36 35 8:1 / / rw - ext4 /dev/sda1 ro,errors=remount-ro",
                mount("/dev/sda1", "/", "ext4", "8:1", Access::ReadOnly),
            ),
            (
                "36 35 8:1 / / rw - ext4 /dev/sda1 rw,errors=remount-ro",
                mount("/dev/sda1", "/", "ext4", "8:1", Access::ReadWrite),
            ),
            (
                "36 35 0:40 / /tmp rw - tmpfs  rw",
                mount("", "/tmp", "tmpfs", "0:40", Access::ReadWrite),
            ),
            ("36 35 98:0 /mnt1 /mnt2", None),
            ("36 35 98:0 - ext3", None),
            ("", None),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    #[test]
    fn escapes() {
        for (word, expected) in [
            (r"\040", " "),
            (r"a\134b", r"a\b"),
            (r"\04", r"\04"),
            (r"\999", r"\999"),
            (r"end\", r"end\"),
            (r"\303\244", "ä"),
            ("\\é1", "\\é1"),
        ] {
            assert_eq!(plain(word), expected, "{word}");
        }
    }
}
