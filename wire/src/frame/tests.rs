use proptest::prelude::*;

use super::*;

/// Reads a file as a recovering reader does: every whole record, past all damage.
fn recover(file: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let (mut records, mut clean, mut at) = (Vec::new(), true, 0);
    loop {
        match scan(file, at) {
            Scan::Record { body, next } => {
                records.push(body.to_vec());
                at = next;
            }
            Scan::End => return (records, clean),
            Scan::Torn | Scan::Damaged { next: None } => return (records, false),
            Scan::Damaged { next: Some(next) } => {
                clean = false;
                at = next;
            }
        }
    }
}

fn file_of(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for body in bodies {
        write(&mut file, body);
    }
    file
}

proptest! {
    #[test]
    fn reads_what_it_writes(bodies: Vec<Vec<u8>>) {
        prop_assert_eq!(recover(&file_of(&bodies)), (bodies, true));
    }

    #[test]
    fn a_cut_file_keeps_its_whole_records(bodies: Vec<Vec<u8>>, cut: prop::sample::Index) {
        let file = file_of(&bodies);
        let cut = cut.index(file.len() + 1);
        let (records, _) = recover(&file[..cut]);
        let mut whole = 0;
        let mut end = 0;
        for body in &bodies {
            end += HEADER_LEN + body.len();
            whole += usize::from(end <= cut);
        }
        prop_assert_eq!(&records[..], &bodies[..whole]);
    }

    #[test]
    fn a_flipped_bit_costs_one_record(
        bodies in prop::collection::vec(any::<Vec<u8>>(), 1..8),
        at: prop::sample::Index,
        bit in 0..8u32,
    ) {
        let mut file = file_of(&bodies);
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        let (records, clean) = recover(&file);
        prop_assert!(!clean);
        let mut hit = 0;
        let mut end = 0;
        for body in &bodies {
            end += HEADER_LEN + body.len();
            hit += usize::from(end <= at);
        }
        let mut expected = bodies.clone();
        expected.remove(hit);
        prop_assert_eq!(records, expected);
    }
}
