use std::fs::File;
use std::io::Write;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::*;

const ROOM: Room = Room {
    size: 1.0,
    free: 1.0,
    available: 1.0,
    files: 1.0,
    files_free: 1.0,
};

/// Opens the place: at once for a file, not before a writer comes for a pipe.
fn open(place: &Path) -> Result<Room, Errno> {
    File::open(place).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or_default()))?;
    Ok(ROOM)
}

struct Places {
    folder: tempfile::TempDir,
}

impl Places {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        let place = self.folder.path().join(name);
        File::create(&place).unwrap();
        place
    }

    fn pipe(&self, name: &str) -> PathBuf {
        let place = self.folder.path().join(name);
        mkfifo(&place, Mode::S_IRWXU).unwrap();
        place
    }
}

/// Lets the thread that waits for a writer of this pipe go on.
fn release(pipe: &Path) {
    let mut writer = File::options().write(true).open(pipe).unwrap();
    writer.write_all(b"x").ok();
}

#[tokio::test]
async fn the_live_root_answers() {
    let answers = Asker::default()
        .ask(&["/".into(), "/none".into()], Duration::from_secs(60))
        .await
        .unwrap();
    let Answer::Room(room) = answers[0] else {
        panic!("{answers:?}");
    };
    assert!(room.size >= room.free && room.free > 0.0);
    assert_eq!(answers[1], Answer::Refused(Errno::ENOENT));
}

#[tokio::test]
async fn a_stuck_place_delays_no_other() {
    let places = Places::new();
    let all = [
        places.pipe("one"),
        places.file("a"),
        places.pipe("two"),
        places.file("b"),
    ];
    let expected = [
        Answer::Late,
        Answer::Room(ROOM),
        Answer::Late,
        Answer::Room(ROOM),
    ];
    let mut asker = Asker::new(open);
    let answers = asker.ask(&all, Duration::from_secs(2)).await.unwrap();
    assert_eq!(answers, expected);

    // Those that hang are not asked again, so that this is answered as soon as the others are.
    let answers = asker.ask(&all, Duration::from_secs(600)).await.unwrap();
    assert_eq!(answers, expected);
    assert_eq!(asker.under_way.len(), 4);

    release(&all[0]);
    release(&all[2]);
    while answered(&mut asker, &all[..1]).await != [Answer::Room(ROOM)] {}
    while answered(&mut asker, &all[2..3]).await != [Answer::Room(ROOM)] {}
}

/// What the places answer once the threads that asked before are through.
async fn answered(asker: &mut Asker, places: &[PathBuf]) -> Vec<Answer> {
    // A pipe asked again waits for a writer again, so what it was must become a file.
    for place in places {
        std::fs::remove_file(place).unwrap();
        File::create(place).unwrap();
    }
    asker.ask(places, Duration::from_secs(60)).await.unwrap()
}

#[tokio::test]
async fn a_collection_that_was_given_up_leaves_its_questions_under_way() {
    let places = Places::new();
    let pipe = [places.pipe("one")];
    let mut asker = Asker::new(open);
    let given_up = asker.ask(&pipe, Duration::from_secs(600));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), given_up)
            .await
            .is_err()
    );
    let answers = asker.ask(&pipe, Duration::from_secs(600)).await.unwrap();
    assert_eq!(answers, [Answer::Late]);
    release(&pipe[0]);
}

#[tokio::test]
async fn more_places_than_threads() {
    let places = Places::new();
    let many: Vec<PathBuf> = (0..1000).map(|n| places.file(&n.to_string())).collect();
    let mut asker = Asker::default();
    let answers = asker.ask(&many, Duration::from_secs(60)).await.unwrap();
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Answer::Room(_)))
    );
    assert!(
        asker
            .ask(&[], Duration::from_secs(60))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(asker.under_way.is_empty());
}
