//! One suite for every implementation of [`Disk`].

use super::faulty::FaultyDisk;
use super::*;

fn on_every_disk(check: impl Fn(&dyn Disk)) {
    check(&FaultyDisk::default());
    let folder = tempfile::tempdir().unwrap();
    // The folder itself is yet to be made.
    check(&Folder::new(folder.path().join("spool")));
}

#[test]
fn a_file_holds_what_was_written_where() {
    on_every_disk(|disk| {
        let file = disk.open("a", Access::Create).unwrap();
        file.write_all_at(b"hello world", 0).unwrap();
        file.write_all_at(b"W", 6).unwrap();
        file.sync().unwrap();
        disk.sync_names().unwrap();
        let read = disk.open("a", Access::Read).unwrap();
        let mut into = [0; 20];
        assert_eq!(read.read_up_to(&mut into, 2).unwrap(), 9);
        assert_eq!(&into[..9], b"llo World");
        assert_eq!(read.read_up_to(&mut into, 11).unwrap(), 0);
        assert_eq!(read.read_up_to(&mut into, 99).unwrap(), 0);
        file.truncate(5).unwrap();
        assert_eq!(read.length().unwrap(), 5);
    });
}

#[test]
fn files_are_made_once_and_removed() {
    on_every_disk(|disk| {
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());
        let missing = disk.open("a", Access::Read).err().unwrap();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        disk.open("a", Access::Create).unwrap();
        let there = disk.open("a", Access::Create).err().unwrap();
        assert_eq!(there.kind(), io::ErrorKind::AlreadyExists);
        disk.open("a", Access::Open).unwrap();
        disk.open("b", Access::Open).unwrap();
        let mut names = disk.list().unwrap();
        names.sort();
        assert_eq!(names, ["a", "b"]);
        disk.remove("a").unwrap();
        disk.remove("a").unwrap();
        assert_eq!(disk.list().unwrap(), ["b"]);
        assert!(disk.free_bytes().unwrap() > 0);
    });
}

#[test]
fn an_open_file_outlives_its_removal() {
    on_every_disk(|disk| {
        let file = disk.open("a", Access::Create).unwrap();
        file.write_all_at(b"kept", 0).unwrap();
        disk.remove("a").unwrap();
        let mut into = [0; 4];
        assert_eq!(file.read_up_to(&mut into, 0).unwrap(), 4);
        assert_eq!(&into, b"kept");
    });
}

#[test]
fn a_folder_in_place_of_a_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    let disk = Folder::new(folder.path().to_path_buf());
    assert!(disk.open("a", Access::Read).is_err());
}

#[test]
fn nobody_else_may_read_a_folder_that_was_made() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("made/spool");
    let disk = Folder::new(spool.clone());
    disk.open("a", Access::Create).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&spool), mode(&spool.join("a"))), (0o700, 0o600));
}
