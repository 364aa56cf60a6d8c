//! Collectors that take some of it, and servers that are no collectors.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn batches_that_are_refused_are_dropped_and_no_others() {
    let collector = Collector::with_poison(vec![3, 17, 18]);
    let rig = Rig::start(settings(vec![plain(collector.address)]), 30).await;
    rig.emptied().await;
    let mut expected = up_to(30);
    expected.retain(|sequence| ![3, 17, 18].contains(sequence));
    assert_eq!(collector.kept(), expected);
    let stats = rig.stop().await;
    assert_eq!(stats.dropped(Reason::Refused).batches, 3);
    assert_eq!(stats.acknowledged().batches, 27);
}

#[tokio::test]
async fn rejected_samples_are_counted_and_not_sent_again() {
    let collector = Collector::start([Reply::Reject(2), Reply::Reject(1)]);
    let rig = Rig::start(settings(vec![plain(collector.address)]), 12).await;
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(12));
    assert_eq!(rig.stats.counts().rejected_samples, 3);
    rig.stop().await;
}

#[tokio::test]
async fn a_collector_that_does_not_know_us_costs_no_batch() {
    let script = [
        Status::unauthenticated("who"),
        Status::permission_denied("no"),
        Status::unimplemented("what"),
    ];
    let collector = Collector::start(script.map(Reply::Say));
    let rig = Rig::start(settings(vec![plain(collector.address)]), 5).await;
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(5));
    assert_eq!(rig.stop().await.dropped_in_all().batches, 0);
}

#[tokio::test]
async fn something_else_that_listens_there_costs_no_batch() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let babbling = tokio::spawn(async move {
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut asked = [0; 512];
            // What becomes of the connection is the peer's concern.
            drop(peer.read(&mut asked).await);
            drop(
                peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
                    .await,
            );
        }
    });
    let rig = Rig::start(settings(vec![plain(address)]), 5).await;
    let failures = || rig.stats.counts().failures.values().sum::<u64>();
    until(|| failures() >= 20).await;
    assert_eq!(rig.queue.stats().pending.batches, 5);
    babbling.abort();
    assert!(babbling.await.unwrap_err().is_cancelled());
    let collector = Collector::start_at(address);
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(5));
    rig.stop().await;
}

#[tokio::test]
async fn the_numbers_read_as_metrics() {
    let collector = Collector::start([Reply::Say(Status::unavailable("away"))]);
    let rig = Rig::start(settings(vec![plain(collector.address)]), 1).await;
    rig.emptied().await;
    let mut out = crate::collect::Gather::default();
    rig.stats.describe(Instant::now(), &mut out);
    let (families, gaps) = out.finish();
    let value = |name: &str| {
        let family = families.iter().find(|family| family.name == name);
        family.map(|family| family.points[0].value)
    };
    assert_eq!(value("nightshift_ship_requests_total"), Some(2.0));
    assert_eq!(value("nightshift_ship_failures_total"), Some(1.0));
    assert_eq!(value("nightshift_ship_in_backoff"), Some(0.0));
    assert!(value("nightshift_ship_last_success_age_seconds").is_some());
    assert_eq!(gaps, []);
    let mut fresh = crate::collect::Gather::default();
    Stats::default().describe(Instant::now(), &mut fresh);
    let (families, gaps) = fresh.finish();
    let told = families.iter().map(|family| family.name.as_ref());
    assert!(
        !told
            .collect::<Vec<_>>()
            .contains(&"nightshift_ship_last_success_age_seconds"),
        "before the first success there is no age"
    );
    assert_eq!(gaps, []);
    rig.stop().await;
}
