use proptest::prelude::*;

use super::*;

/// A series in the plainest form: name, suffix, kind, labels sorted by name.
type Plain = (String, Suffix, Kind, Vec<Label>);

fn any_family() -> impl Strategy<Value = Family> {
    // Few and short, so that neighbours share much, and some long ones.
    let value = prop_oneof![8 => "[ab]{0,3}", 1 => ".{0,300}"];
    let labels = prop::collection::btree_map("[a-d]|job", value, 0..5);
    let point = (prop::sample::select(&SUFFIXES[..]), labels, any::<bool>());
    let point = point.prop_map(|(suffix, labels, is_reversed)| {
        let labels = labels.into_iter();
        let mut labels: Vec<_> = labels.map(|(n, v)| Label::new(n, v)).collect();
        if is_reversed {
            labels.reverse();
        }
        Point {
            suffix,
            labels,
            value: 1.0,
            at_ms: None,
        }
    });
    let points = prop::collection::vec(point, 0..20);
    ("[a-c]{0,3}", prop::sample::select(&KINDS[..]), points).prop_map(|(name, kind, points)| {
        Family {
            points,
            ..Family::new(name, "Help.", kind)
        }
    })
}

fn target() -> Vec<Label> {
    vec![Label::new("job", "a")]
}

fn model(family: &Family, point: &Point) -> Plain {
    let mut labels = point.labels.clone();
    labels.retain(|label| !label.value.is_empty() && !target().contains(label));
    labels.sort();
    (family.name.to_string(), point.suffix, family.kind, labels)
}

fn pack(families: &[Family], most_bytes: usize) -> (Packed, usize) {
    let target = target();
    let mut packing = Packed::packing(&target, most_bytes, 0);
    for family in families {
        packing.family(family);
        for point in &family.points {
            packing.entry(family, point);
            packing.keep();
        }
    }
    packing.finish()
}

fn unpack(packed: &Packed) -> Vec<Plain> {
    let mut found = Vec::new();
    packed.each(|entry| {
        let name = entry.name.to_owned();
        found.push((name, entry.suffix, entry.kind, entry.labels()));
    });
    found
}

fn plain(families: &[Family]) -> Vec<Plain> {
    let series = families.iter().flat_map(|family| {
        let points = family.points.iter();
        points.map(move |point| model(family, point))
    });
    series.collect()
}

proptest! {
    #[test]
    fn what_is_packed_is_read_again(families in prop::collection::vec(any_family(), 0..6)) {
        let (packed, left_out) = pack(&families, usize::MAX);
        prop_assert_eq!(left_out, 0);
        prop_assert_eq!(unpack(&packed), plain(&families));
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_counted(
        families in prop::collection::vec(any_family(), 0..6),
        most_bytes in 0usize..400,
    ) {
        let (packed, left_out) = pack(&families, most_bytes);
        prop_assert!(packed.buffer.len() <= most_bytes);
        let (found, all) = (unpack(&packed), plain(&families));
        prop_assert_eq!(found.len() + left_out, all.len());
        let mut all = all.into_iter();
        for one in found {
            prop_assert!(all.any(|other| other == one), "order and names stay");
        }
    }

    #[test]
    fn equal_labels_have_equal_blocks_and_others_have_not(families in prop::collection::vec(any_family(), 2)) {
        let (packed, _) = pack(&families, usize::MAX);
        let mut found = Vec::new();
        packed.each(|entry| found.push((entry.labels(), entry.block.to_vec())));
        for (labels, block) in &found {
            for (other, other_block) in &found {
                prop_assert_eq!(labels == other, block == other_block);
            }
        }
    }

    #[test]
    fn damage_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let packed = Packed { buffer: bytes };
        unpack(&packed);
    }
}

#[test]
fn names_of_a_usual_source_take_little() {
    let mut families = Vec::new();
    for name in 0..30 {
        let mut family = Family::new(format!("pg_stat_user_tables_{name}"), "", Kind::Counter);
        for table in 0..100 {
            let labels = [("datname", "loans"), ("schemaname", "public")];
            let mut labels = labels.map(|(n, v)| Label::new(n, v)).to_vec();
            labels.push(Label::new("relname", format!("payments_2026_{table}")));
            family.points.push(Point {
                suffix: Suffix::None,
                labels,
                value: 1.0,
                at_ms: None,
            });
        }
        families.push(family);
    }
    let (packed, _) = pack(&families, usize::MAX);
    let each = packed.bytes() / 3_000;
    assert!(each < 24, "{each} bytes a series");
}
