//! What a crash or a damaged disk may leave: nothing that was acknowledged is lost, nothing that was
//! not is half there, and nothing that was not written is believed.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::*;

/// A store of objects behind a process that dies after so many changes: nothing later happens.
#[derive(Debug)]
struct Dying {
    inner: Arc<InMemory>,
    changes_left: AtomicI64,
}

impl Dying {
    fn change(&self) -> Result<()> {
        if self.changes_left.fetch_sub(1, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        Err(Error::Generic {
            store: "dying",
            source: "the process is dead".into(),
        })
    }
}

impl fmt::Display for Dying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dying")
    }
}

#[async_trait]
impl ObjectStore for Dying {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.change()?;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.change()?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.change() {
            Ok(()) => self.inner.delete_stream(locations),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.change()?;
        self.inner.copy_opts(from, to, options).await
    }
}

/// Two blocks that overlap, and what is read of both.
fn two_blocks() -> [Vec<Series>; 2] {
    let old = vec![
        series("__name__=a", &[(1, 1.0), (2, 1.0)]),
        series("__name__=b", &[(1, 0.5)]),
    ];
    let new = vec![
        series("__name__=a", &[(2, 2.0), (3, 2.0)]),
        series("__name__=c", &[(9, 9.0)]),
    ];
    [old, new]
}

fn merged() -> Vec<Series> {
    vec![
        series("__name__=a", &[(1, 1.0), (2, 2.0), (3, 2.0)]),
        series("__name__=b", &[(1, 0.5)]),
        series("__name__=c", &[(9, 9.0)]),
    ]
}

#[test]
fn a_crash_between_any_two_steps_loses_nothing_that_was_acknowledged() {
    let [old, new] = two_blocks();
    let mut completed = false;
    for changes in 0..200 {
        let disk = Arc::new(InMemory::new());
        let dying = Objects::in_store(Arc::new(Dying {
            inner: Arc::clone(&disk),
            changes_left: AtomicI64::new(changes),
        }));
        let fixture = Fixture::of(tempfile::tempdir().unwrap(), dying);
        let blocks = fixture.open();
        let added_old = blocks.add(old.clone().into_iter(), arrived(HOUR_MS));
        let added_new = blocks.add(new.clone().into_iter(), arrived(2 * HOUR_MS));
        let maintained = blocks.maintain(12 * HOUR_MS);
        // A reader of the process that lives on sees the same throughout.
        let expected = match (added_old.is_ok(), added_new.is_ok()) {
            (true, true) => bits(merged()),
            (true, false) => bits(old.clone()),
            (false, true) => bits(new.clone()),
            (false, false) => vec![],
        };
        assert_eq!(fixture.all(&blocks), expected, "before, {changes} changes");
        drop((blocks, fixture));
        let fixture = Fixture::of(
            tempfile::tempdir().unwrap(),
            Objects::in_store(Arc::clone(&disk) as Arc<dyn ObjectStore>),
        );
        let blocks = fixture.open();
        assert_eq!(fixture.all(&blocks), expected, "after, {changes} changes");
        // Nothing is left behind but what the blocks have.
        let left = fixture
            .runtime
            .block_on(disk.list(None).collect::<Vec<_>>());
        assert_eq!(left.len() as u64, 3 * blocks.stats().blocks, "{changes}");
        if maintained.is_ok() {
            completed = true;
            break;
        }
    }
    assert!(completed, "no number of changes was enough");
}

#[test]
fn unfinished_writes_in_a_folder_are_swept() {
    let fixture = Fixture::in_folder();
    let folder = fixture.folder.path().join("00000000000000000007");
    std::fs::create_dir(&folder).unwrap();
    // As the local store names what is not complete yet; no listing shows it.
    std::fs::write(folder.join("samples.parquet#1"), "half").unwrap();
    std::fs::write(folder.join("series.parquet"), "whole").unwrap();
    let blocks = fixture.open();
    assert_eq!(std::fs::read_dir(fixture.folder.path()).unwrap().count(), 0);
    assert_eq!(fixture.all(&blocks), []);
}

/// A block with something of everything, and what else must go on being read.
fn filled() -> (Fixture, Vec<Series>, Vec<Series>) {
    let fixture = Fixture::in_memory();
    let blocks = fixture.open();
    let sound = vec![series("__name__=sound", &[(1, 1.0)])];
    let hurt: Vec<Series> = (0..20)
        .map(|at| {
            let samples: Vec<_> = (0..40)
                .map(|step| (step * 15, f64::from(at) * 0.25 + (step % 7) as f64 / 3.0))
                .collect();
            series(&format!("__name__=hurt,x={at:02}"), &samples)
        })
        .collect();
    blocks.add(hurt.clone().into_iter(), arrived(1)).unwrap();
    blocks.add(sound.clone().into_iter(), arrived(2)).unwrap();
    (fixture, hurt, sound)
}

/// Changes a file of the first block and says whether the damage was noticed: what is read must be
/// what was written, without the damaged block if need be.
fn survives(name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let (fixture, hurt, sound) = filled();
    let path = objects::file(BlockId(1), name);
    let store = Arc::clone(&fixture.objects.store);
    let before = fixture.runtime.block_on(async {
        let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
        let mut changed = bytes.to_vec();
        change(&mut changed);
        store.put(&path, changed.into()).await.unwrap();
        bytes
    });
    let (blocks, damages) = fixture.open_damaged();
    let read = fixture.all(&blocks);
    let everything = bits([hurt, sound.clone()].concat());
    if read == everything {
        // Not every bit says something: such as those of a page that no query needs.
        assert_eq!(damages, []);
        return;
    }
    assert_eq!(read, bits(sound), "{name} of {} bytes", before.len());
    assert_eq!(blocks.stats().quarantined, 1);
    let aside = objects::quarantined(&BlockId(1).to_string(), name);
    fixture.runtime.block_on(async {
        assert!(store.head(&aside).await.is_ok(), "{aside} is not there");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_flipped_bit_anywhere_never_changes_a_number(
        name in prop::sample::select(vec![META, SAMPLES, SERIES]),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        survives(name, |bytes| {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        });
    }

    #[test]
    fn a_torn_file_costs_its_block_only(
        name in prop::sample::select(vec![META, SAMPLES, SERIES]),
        at in any::<prop::sample::Index>(),
    ) {
        survives(name, |bytes| bytes.truncate(at.index(bytes.len())));
    }

    #[test]
    fn what_a_block_says_of_itself_is_never_half_believed(
        at in any::<prop::sample::Index>(),
        text in ".{0,40}",
    ) {
        let (fixture, _, _) = filled();
        let path = objects::file(BlockId(1), META);
        let whole = fixture.runtime.block_on(async {
            let meta = fixture.objects.store.get(&path).await.unwrap();
            meta.bytes().await.unwrap().to_vec()
        });
        let meta = meta::Meta::decode(&whole).unwrap();
        let mut changed = whole.clone();
        let at = at.index(whole.len());
        changed.splice(at..(at + text.len()).min(whole.len()), text.bytes());
        match meta::Meta::decode(&changed) {
            Ok(decoded) => prop_assert_eq!(decoded, meta),
            Err(_) => prop_assert_ne!(changed, whole),
        }
        prop_assert!(meta::Meta::decode(text.as_bytes()).is_err());
    }

    #[test]
    fn a_footer_of_anything_is_an_error_and_no_panic(
        tail in prop::collection::vec(any::<u8>(), 0..200),
        keeps_magic in any::<bool>(),
        at in any::<prop::sample::Index>(),
    ) {
        let (fixture, _, _) = filled();
        let path = objects::file(BlockId(1), SERIES);
        let store = &fixture.objects.store;
        fixture.runtime.block_on(async {
            let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
            let mut changed = bytes.to_vec();
            let at = at.index(bytes.len());
            changed.splice(at..(at + tail.len()).min(bytes.len()), tail);
            if keeps_magic && changed.len() >= 8 {
                let end = changed.len() - 8;
                changed[end..].copy_from_slice(&bytes[bytes.len() - 8..]);
            }
            // Somebody who means it gets the checksums right.
            let file = meta::FileMeta {
                bytes: changed.len() as u64,
                crc32c: crc32c::crc32c(&changed),
                tail: 0,
                tail_crc32c: crc32c::crc32c(&changed),
            };
            store.put(&path, changed.into()).await.unwrap();
            let opened = table::Table::open(&**store, path, file).await;
            // With a tail of 0 no checksums are due, so only an error is right.
            prop_assert!(opened.is_err() || file.bytes == bytes.len() as u64);
            Ok(())
        })?;
    }
}

#[test]
fn what_is_sound_in_a_damaged_block_is_saved() {
    let (fixture, hurt, sound) = filled();
    let blocks = fixture.open();
    assert_eq!(blocks.check().unwrap(), []);
    let path = objects::file(BlockId(1), SAMPLES);
    let store = Arc::clone(&fixture.objects.store);
    let everything = bits([hurt, sound.clone()].concat());
    // A whole piece is believed or not, and this block is smaller than one: all of it is lost.
    fixture.runtime.block_on(async {
        let mut bytes = store
            .get(&path)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .to_vec();
        bytes[100] ^= 1;
        store.put(&path, bytes.into()).await.unwrap();
    });
    let blocks = fixture.open();
    let damages = blocks.check().unwrap();
    assert_eq!(damages.len(), 1);
    assert_eq!(
        (damages[0].file.as_str(), damages[0].offset),
        (path.as_ref(), 0)
    );
    assert_eq!(blocks.stats().quarantined, 0, "checking changes nothing");
    let repairs = blocks.repair().unwrap();
    assert_eq!((repairs[0].samples, repairs[0].saved), (800, 0));
    assert_eq!(fixture.all(&blocks), bits(sound.clone()));
    assert_eq!(blocks.repair().unwrap(), []);
    assert_ne!(everything, bits(sound));
}

#[test]
fn of_a_large_block_only_what_was_hit_is_lost() {
    let fixture = Fixture::in_memory();
    let blocks = fixture.open();
    let written: Vec<Series> = (0..40u64)
        .map(|at| {
            let mut noise = at + 1;
            let samples: Vec<_> = (0..4000)
                .map(|step| {
                    noise = noise
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (step * 15_000, (noise >> 11) as f64 / 3.0)
                })
                .collect();
            series(&format!("__name__=noise,x={at:02}"), &samples)
        })
        .collect();
    blocks.add(written.clone().into_iter(), arrived(1)).unwrap();
    let path = objects::file(BlockId(1), SAMPLES);
    let store = Arc::clone(&fixture.objects.store);
    fixture.runtime.block_on(async {
        let mut bytes = store
            .get(&path)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .to_vec();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        store.put(&path, bytes.into()).await.unwrap();
    });
    let damages = blocks.check().unwrap();
    assert_eq!(damages.len(), 1);
    let repairs = blocks.repair().unwrap();
    assert_eq!(repairs[0].samples, 160_000);
    assert!(repairs[0].saved >= 80_000, "{repairs:?}");
    let saved = fixture.all(&blocks);
    assert_eq!(
        saved.iter().map(|(_, it)| it.len() as u64).sum::<u64>(),
        repairs[0].saved
    );
    let written = bits(written);
    assert!(saved.iter().all(|series| written.contains(series)));
    assert_eq!(blocks.check().unwrap(), []);
}
