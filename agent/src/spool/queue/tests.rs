use super::super::disk::faulty::FaultyDisk;
use super::super::tests::{ALL, batch, numbers, open};
use super::super::{Reason, Recovery};
use super::*;

fn queue(disk: &FaultyDisk) -> (Queue, Recovery) {
    let (spool, recovery) = open(disk);
    (Queue::new(spool, "db1"), recovery)
}

#[tokio::test]
async fn what_one_task_appends_another_takes() {
    let disk = FaultyDisk::default();
    let (queue, _) = queue(&disk);
    let filler = queue.clone();
    let filling = tokio::spawn(async move {
        for number in 1..=10 {
            filler.append(batch(number, 1)).await.unwrap();
        }
    });
    let mut taken = Vec::new();
    while taken.len() < 10 {
        match queue.next(ALL).await.unwrap() {
            Some(bundle) => {
                taken.extend(numbers(&bundle));
                queue
                    .settle(bundle.receipt, Outcome::Acknowledged)
                    .await
                    .unwrap();
            }
            None => queue.arrived().await,
        }
    }
    filling.await.unwrap();
    assert_eq!(taken, (1..=10).collect::<Vec<_>>());
    assert_eq!(queue.stats().acknowledged().batches, 10);
}

#[tokio::test(start_paused = true)]
async fn tending_syncs_what_was_written() {
    let disk = FaultyDisk::default();
    let (queue, _) = queue(&disk);
    queue.append(batch(1, 1)).await.unwrap();
    let stop = CancellationToken::new();
    let tended = queue.tend(stop.clone());
    let wait = async {
        tokio::time::sleep(TEND * 3).await;
        stop.cancel();
    };
    tokio::join!(tended, wait);
    disk.lose_power(0);
    assert_eq!(open(&disk).1.kept.batches, 1);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_costs_batches_and_no_waiting_without_end() {
    let disk = FaultyDisk::default();
    let (queue, _) = queue(&disk);
    queue.append(batch(1, 1)).await.unwrap();
    // The spool is held, as by a write that does not return.
    let held = queue.lock().await.unwrap();
    assert!(queue.append(batch(2, 3)).await.is_err());
    assert!(queue.next(ALL).await.is_err());
    let stats = queue.stats();
    assert_eq!(stats.dropped(Reason::Stalled).samples, 3);
    assert_eq!(stats.produced().batches, 2);
    drop(held);
    queue.append(batch(3, 1)).await.unwrap();
    let bundle = queue.next(ALL).await.unwrap().unwrap();
    assert_eq!(numbers(&bundle), [1, 3]);
}

#[tokio::test]
async fn closing_leaves_everything_on_disk() {
    let disk = FaultyDisk::default();
    let (queue, _) = queue(&disk);
    queue.append(batch(1, 1)).await.unwrap();
    queue.close().await.unwrap();
    disk.lose_power(0);
    assert_eq!(open(&disk).1.kept.batches, 1);
}
