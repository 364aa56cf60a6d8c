//! Single PostgreSQL servers of the lab.

use tests::lab::node::Node;
use tests::lab::release::Release;

#[tokio::test]
async fn every_installed_major_starts() {
    let majors: Vec<u32> = Release::installed().iter().map(Release::major).collect();
    assert_eq!(
        majors,
        [13, 15, 16, 17, 18],
        "scripts/setup.sh installs these"
    );
    let mut identifiers = Vec::new();
    for major in majors {
        let start = std::time::Instant::now();
        let node = Node::builder()
            .major(major)
            .set("work_mem", "5MB")
            .start()
            .await
            .unwrap();
        println!("{major}: {:?}", start.elapsed());
        let version: u32 = node
            .value("SHOW server_version_num")
            .await
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(version / 10_000, major);
        assert_eq!(node.value("SHOW work_mem").await.unwrap(), "5MB");
        identifiers.push(
            node.value("SELECT system_identifier FROM pg_control_system()")
                .await
                .unwrap(),
        );
    }
    identifiers.dedup();
    assert_eq!(identifiers.len(), 5, "each has an identifier of its own");
}
