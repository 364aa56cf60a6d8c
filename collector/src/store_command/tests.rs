use std::fs;

use store::append::{Append, Arrival, Delivery, Row};
use store::blocks::{Objects, Provenance};
use store::labels::Labels;
use store::read::{Sample, Series};

use super::*;
use crate::bucket::BLOCKS;

fn folder_at(data: &Path) -> StoreFolder {
    StoreFolder {
        data: data.to_owned(),
        config: None,
    }
}

/// A data folder with one block.
fn data() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let folder = Objects::in_folder(&data.path().join(BLOCKS)).unwrap();
    let opening = Blocks::open(folder, Options::default(), Opening::ToServe);
    let (blocks, _) = runtime.block_on(opening).unwrap();
    let series = Series {
        labels: Labels::from_pairs([("__name__", "up")]),
        samples: (0..100).map(|at_ms| Sample { at_ms, value: 1.0 }).collect(),
    };
    let provenance = Provenance {
        arrived_from_ms: 0,
        arrived_to_ms: 0,
        mark: 0,
    };
    blocks.add(std::iter::once(series), provenance).unwrap();
    data
}

#[test]
fn a_sound_folder_passes_and_is_counted() {
    let folder = data();
    let data = folder.path().to_owned();
    let checked = run(&Store::Check {
        folder: folder_at(&data),
    })
    .unwrap();
    assert_eq!(checked.verdict, Verdict::Sound);
    let repaired = run(&Store::Repair {
        folder: folder_at(&data),
    })
    .unwrap();
    assert_eq!(repaired.text, "nothing is damaged\n");
    let output = StatsFormat::Json;
    let counted = run(&Store::Stats {
        folder: folder_at(&data),
        output,
    })
    .unwrap();
    let figures: serde_json::Value = serde_json::from_str(&counted.text).unwrap();
    assert_eq!(figures["samples"], 100);
    assert_eq!(figures["to_ms"], 99);
    assert_eq!(figures["list"][0]["resolution"], "raw");
    let output = StatsFormat::Table;
    let counted = run(&Store::Stats {
        folder: folder_at(&data),
        output,
    })
    .unwrap();
    assert!(
        counted.text.contains("1 blocks, 100 samples"),
        "{}",
        counted.text
    );
}

#[test]
fn a_flipped_bit_is_named_and_repaired() {
    let folder = data();
    let data = folder.path().to_owned();
    let name = "00000000000000000001/series.parquet";
    let file = data.join(BLOCKS).join(name);
    let mut bytes = fs::read(&file).unwrap();
    bytes[10] ^= 4;
    fs::write(&file, bytes).unwrap();
    let checked = run(&Store::Check {
        folder: folder_at(&data),
    })
    .unwrap();
    assert_eq!(checked.verdict, Verdict::Damaged);
    let expected = format!("{}: offset 0: the checksum is wrong", file.display());
    assert!(checked.text.contains(&expected), "{}", checked.text);
    assert!(checked.text.contains("hint: stop the collector"));
    let repaired = run(&Store::Repair {
        folder: folder_at(&data),
    })
    .unwrap();
    assert_eq!(
        repaired.text,
        "00000000000000000001: 0 of 100 samples saved\n"
    );
    assert!(data.join(BLOCKS).join("quarantine").join(name).exists());
    assert_eq!(
        run(&Store::Check {
            folder: folder_at(&data)
        })
        .unwrap()
        .verdict,
        Verdict::Sound
    );
}

#[test]
fn compacting_leaves_one_block_of_all() {
    let folder = data();
    let data = folder.path().to_owned();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let options = embedded::Options::default();
        let (store, _) = Embedded::open(Folders::below(&data), options, 0)
            .await
            .unwrap();
        let arrival = Arrival {
            wall_ms: 200,
            steady_ms: 200,
            sent_ms: None,
        };
        let labels = Labels::from_pairs([("__name__", "up")]);
        let sample = Sample {
            at_ms: 200,
            value: 1.0,
        };
        let delivery = Delivery {
            origin: None,
            arrival,
            rows: vec![Row { labels, sample }],
            metadata: Vec::new(),
            exemplars: Vec::new(),
        };
        store.append(vec![delivery]).await.unwrap();
        store.close().await;
    });
    let done = run(&Store::Compact {
        folder: folder_at(&data),
    })
    .unwrap();
    assert_eq!(done.verdict, Verdict::Sound, "{}", done.text);
    assert!(
        done.text
            .starts_with("1 blocks written, 2 merged; now 1 blocks, 101 samples")
    );
    let again = run(&Store::Compact {
        folder: folder_at(&data),
    })
    .unwrap();
    assert!(
        again
            .text
            .starts_with("0 blocks written, 0 merged; now 1 blocks, 101 samples")
    );
}

#[test]
fn what_is_not_there_or_in_use_is_refused() {
    let nowhere = std::path::PathBuf::from("/nonexistent/nightshift");
    let refused = run(&Store::Check {
        folder: folder_at(&nowhere),
    })
    .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "there is no folder /nonexistent/nightshift"
    );
    let folder = data();
    let held = DataFolder::hold(folder.path()).unwrap();
    let data = folder.path().to_owned();
    let refused = run(&Store::Repair {
        folder: folder_at(&data),
    })
    .unwrap_err();
    assert!(refused.to_string().contains("in use"), "{refused}");
    drop(held);
}
