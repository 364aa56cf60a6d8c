//! Blocks are read by a program that is not ours: pyarrow gets the same numbers.

use std::path::PathBuf;
use std::process::Command;

use super::*;

/// Prints each sample of a folder of blocks: its labels as JSON, its time and the bits of its number.
const READ_ALL: &str = r#"
import json, pathlib, struct, sys
import pyarrow.compute as pc
import pyarrow.parquet as pq
for block in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    series = pq.read_table(block / "series.parquet").to_pylist()
    labels = {row["series"]: json.dumps(dict(row["labels"]), sort_keys=True) for row in series}
    for row in series:
        assert row["metric"] == dict(row["labels"]).get("__name__"), row
    samples = pq.read_table(block / "samples.parquet")
    assert len(samples) == sum(row["rows"] for row in series)
    decimal = pc.divide(pc.cast(samples["units"], "double"), pc.power(10.0, samples["scale"]))
    values = pc.coalesce(samples["value"], decimal).to_pylist()
    times = pc.cast(samples["time"], "int64").to_pylist()
    for number, time, value in zip(samples["series"].to_pylist(), times, values):
        print(labels[number], time, struct.unpack("<q", struct.pack("<d", value))[0], sep="\t")
"#;

fn python() -> PathBuf {
    let root = std::env::var_os("NIGHTSHIFT_PYTHON");
    let root = root.unwrap_or_else(|| "/var/cache/nightshift/python".into());
    let python = PathBuf::from(root).join("bin/python");
    assert!(
        python.exists(),
        "there is no {}; run scripts/setup.sh",
        python.display()
    );
    python
}

#[test]
fn pyarrow_reads_the_same_numbers() {
    let fixture = Fixture::in_folder();
    let blocks = fixture.open();
    let ramp = |scale: f64| -> Vec<(i64, f64)> {
        (0..500)
            .map(|step| (step * 15_000, step as f64 * scale))
            .collect()
    };
    let written = vec![
        series("__name__=constant,a=\u{e9}", &[(1, 0.1), (2, 0.1)]),
        series("__name__=decimal", &ramp(0.01)),
        series("__name__=float", &ramp(1.0 / 3.0)),
        series(
            "__name__=odd",
            &[
                (-5, 1.5),
                (1, -0.0),
                (2, STALE),
                (3, f64::INFINITY),
                (253_402_300_799_000, 2.0),
            ],
        ),
        series("__name__=whole", &ramp(1_000_000_007.0)),
        series("job=no name", &[(7, f64::MIN_POSITIVE)]),
    ];
    blocks
        .add(written.clone().into_iter(), arrived(HOUR_MS))
        .unwrap();
    let more = vec![series("__name__=whole", &[(9_000_000, 4.0)])];
    blocks.add(more.into_iter(), arrived(2 * HOUR_MS)).unwrap();
    compare(&fixture, &blocks);
    blocks.maintain(12 * HOUR_MS).unwrap();
    assert_eq!(blocks.stats().blocks, 1);
    compare(&fixture, &blocks);
}

fn compare(fixture: &Fixture, blocks: &Blocks) {
    let output = Command::new(python())
        .args(["-c", READ_ALL])
        .arg(fixture.folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut theirs: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let mut ours = Vec::new();
    for (labels, samples) in fixture.all(blocks) {
        let pairs: std::collections::BTreeMap<_, _> = labels.iter().collect();
        // As Python writes JSON.
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("\"{name}\": \"{}\"", value.replace('\u{e9}', "\\u00e9")))
            .collect();
        for (time, bits) in samples {
            ours.push(format!(
                "{{{}}}\t{time}\t{}",
                pairs.join(", "),
                bits.cast_signed()
            ));
        }
    }
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs);
}
