use std::fs;

use store::blocks::Provenance;
use store::labels::Labels;
use store::read::{Sample, Series};

use super::*;

/// A data folder with one block.
fn data() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let (blocks, _) = open(data.path(), Opening::ToServe, &runtime).unwrap();
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
    let checked = run(&Store::Check { data: data.clone() }).unwrap();
    assert_eq!(checked.verdict, Verdict::Sound);
    let repaired = run(&Store::Repair { data: data.clone() }).unwrap();
    assert_eq!(repaired.text, "nothing is damaged\n");
    let output = StatsFormat::Json;
    let counted = run(&Store::Stats {
        data: data.clone(),
        output,
    })
    .unwrap();
    let figures: serde_json::Value = serde_json::from_str(&counted.text).unwrap();
    assert_eq!(figures["samples"], 100);
    assert_eq!(figures["to_ms"], 99);
    assert_eq!(figures["list"][0]["resolution"], "raw");
    let output = StatsFormat::Table;
    let counted = run(&Store::Stats { data, output }).unwrap();
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
    let checked = run(&Store::Check { data: data.clone() }).unwrap();
    assert_eq!(checked.verdict, Verdict::Damaged);
    let expected = format!("{}: offset 0: the checksum is wrong", file.display());
    assert!(checked.text.contains(&expected), "{}", checked.text);
    assert!(checked.text.contains("hint: stop the collector"));
    let repaired = run(&Store::Repair { data: data.clone() }).unwrap();
    assert_eq!(
        repaired.text,
        "00000000000000000001: 0 of 100 samples saved\n"
    );
    assert!(data.join(BLOCKS).join("quarantine").join(name).exists());
    assert_eq!(run(&Store::Check { data }).unwrap().verdict, Verdict::Sound);
}

#[test]
fn what_is_not_there_or_in_use_is_refused() {
    let nowhere = std::path::PathBuf::from("/nonexistent/nightshift");
    let refused = run(&Store::Check { data: nowhere }).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "there is no folder /nonexistent/nightshift"
    );
    let folder = data();
    let held = DataFolder::hold(folder.path()).unwrap();
    let data = folder.path().to_owned();
    let refused = run(&Store::Repair { data }).unwrap_err();
    assert!(refused.to_string().contains("in use"), "{refused}");
    drop(held);
}
