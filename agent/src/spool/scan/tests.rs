use super::super::disk::faulty::FaultyDisk;
use super::super::disk::{Access, Disk};
use super::*;

use proptest::prelude::*;

/// Reads a file as the queue does; records, and bytes that are none.
fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, u64) {
    let disk = FaultyDisk::default();
    disk.replace("a", bytes.to_vec());
    let file = disk.open("a", Access::Read).unwrap();
    let mut reader = Reader::new(file, 0, bytes.len() as u64);
    let (mut records, mut lost) = (Vec::new(), 0);
    loop {
        let before = reader.at();
        match reader.next().unwrap() {
            Found::Record => records.push(reader.record().to_vec()),
            Found::Damaged(bytes) | Found::Torn(bytes) => {
                assert_eq!(reader.at() - before, bytes);
                lost += bytes;
            }
            Found::End => return (records, lost),
        }
        assert!(reader.at() > before, "the reader stands still at {before}");
    }
}

fn file_of(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for body in bodies {
        frame::write(&mut file, body);
    }
    file
}

/// Bodies around the size of the window, where a reader goes wrong if it does.
fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let len = prop_oneof![0..200usize, WINDOW - 40..WINDOW + 40];
    let body = (len, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]);
    prop::collection::vec(body, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_whole_file_is_read_whole(bodies in bodies()) {
        prop_assert_eq!(read(&file_of(&bodies)), (bodies, 0));
    }

    #[test]
    fn a_cut_file_gives_its_whole_records(bodies in bodies(), cut: prop::sample::Index) {
        let file = file_of(&bodies);
        let cut = cut.index(file.len() + 1);
        let (records, lost) = read(&file[..cut]);
        prop_assert_eq!(&records[..], &bodies[..records.len()]);
        prop_assert_eq!(file_of(&records).len() as u64 + lost, cut as u64);
    }

    #[test]
    fn one_flipped_bit_costs_one_record(bodies in bodies(), at: prop::sample::Index, bit in 0..8u8) {
        prop_assume!(!bodies.is_empty());
        let mut file = file_of(&bodies);
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        let (records, lost) = read(&file);
        prop_assert_eq!(records.len(), bodies.len() - 1);
        prop_assert_eq!(file_of(&records).len() as u64 + lost, file.len() as u64);
    }

    #[test]
    fn anything_at_all_is_read_to_its_end(bytes: Vec<u8>, bodies in bodies()) {
        let file = [bytes.clone(), file_of(&bodies)].concat();
        let (records, _) = read(&file);
        prop_assert!(records.ends_with(&bodies) || frame::body_len(&bytes).is_some());
    }
}

#[test]
fn a_file_of_headers_that_lie_costs_bounded_work() {
    // Each header announces nearly all that follows, and each checksum is wrong.
    let mut framed = Vec::new();
    frame::write(&mut framed, &vec![0; 1 << 20]);
    framed[12] ^= 1;
    let mut file = framed[..frame::HEADER_LEN].repeat(1 << 17);
    file.extend(vec![0; 1 << 20]);
    let (records, lost) = read(&file);
    assert_eq!((records.len(), lost), (0, file.len() as u64));
}
