use std::future::{pending, ready};

use store::embedded::{Embedded, Folders};

use super::*;

async fn env(data: &std::path::Path) -> Env {
    let options = store::embedded::Options::default();
    let opened = Embedded::open(Folders::below(data), options, 0).await;
    let (db, _) = StateDb::open(data, 0).await.unwrap();
    Env {
        store: Arc::new(opened.unwrap().0),
        db,
        clock: Clock::start(),
        timeline: Arc::new(Timeline::new(0, 0, i64::MIN)),
        board: Arc::default(),
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
        options: Options::default(),
        // Threads of a busy machine wait for a processor, too.
        timeout: Duration::from_secs(1),
        places: Arc::new(Semaphore::new(1)),
        external_labels: Labels::from_pairs([]),
        external_url: "".into(),
    }
}

#[tokio::test]
async fn a_rule_that_waits_too_long_delays_the_others_only() {
    let folder = tempfile::tempdir().unwrap();
    let env = env(folder.path()).await;
    let done = env.work(|asker| {
        let one = |asker: &mut Asker, hangs: bool| -> Result<u8, QueryError> {
            asker.begin()?;
            match hangs {
                true => asker.wait(pending()),
                false => asker.wait(ready(1)),
            }
        };
        [false, true, false, true, false].map(|hangs| one(asker, hangs))
    });
    let shown = done.await.map(|all| all.map(|one| one.ok()));
    assert_eq!(shown, Ok([Some(1), None, Some(1), None, Some(1)]));
}

#[tokio::test]
async fn work_that_does_not_end_is_given_up_and_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let env = env(folder.path()).await;
    let (go_on, wait) = std::sync::mpsc::sync_channel::<()>(1);
    let done = env.work(move |_| wait.recv().ok()).await;
    assert_eq!(done, Err(Undone::Failed(QueryError::TimedOut.to_string())));
    assert_eq!(env.places.available_permits(), 0);
    go_on.send(()).unwrap();
    assert_eq!(env.work(|_| 7).await, Ok(7));
}

#[tokio::test]
async fn at_the_end_nothing_is_waited_for_and_nothing_begins() {
    let folder = tempfile::tempdir().unwrap();
    let env = env(folder.path()).await;
    let stop = env.stop.clone();
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let done = env.work(move |asker| {
        stop.cancel();
        let waited = asker.wait(pending::<()>()).is_err();
        tell.send((waited, asker.begin().is_err())).ok();
    });
    assert_eq!(done.await, Err(Undone::Stopping));
    let told = tokio::task::spawn_blocking(move || told.recv()).await;
    assert_eq!(told.unwrap(), Ok((true, true)));
}
