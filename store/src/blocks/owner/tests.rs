use std::sync::Arc;

use object_store::memory::InMemory;

use super::*;
use crate::blocks::{Blocks, Objects, Opening, Options, Provenance};
use crate::labels::Labels;
use crate::read::{Sample, Series};

fn owner(id: &str) -> Owner {
    Owner {
        id: id.to_owned(),
        host: format!("{id}-host"),
    }
}

async fn open(store: &Arc<InMemory>, id: &str) -> Result<Blocks, OpenError> {
    let objects = Objects::in_store(Arc::clone(store) as _).owned_by(owner(id));
    let opened = Blocks::open(objects, Options::default(), Opening::ToServe).await;
    opened.map(|(blocks, _)| blocks)
}

async fn add(blocks: &Blocks, at_ms: i64) -> Result<(), WriteError> {
    let series = Series {
        labels: Labels::from_pairs([("__name__", "up")]),
        samples: vec![Sample { at_ms, value: 1.0 }],
    };
    let provenance = Provenance {
        arrived_from_ms: at_ms,
        arrived_to_ms: at_ms,
        mark: 0,
    };
    let blocks = blocks.clone();
    let adding =
        tokio::task::spawn_blocking(move || blocks.add(std::iter::once(series), provenance));
    adding.await.unwrap().map(drop)
}

#[tokio::test]
async fn the_first_to_open_them_has_them() {
    let store = Arc::new(InMemory::new());
    let blocks = open(&store, "one").await.unwrap();
    add(&blocks, 1).await.unwrap();
    drop(blocks);
    open(&store, "one").await.unwrap();
    let Err(OpenError::Owned(refused)) = open(&store, "other").await else {
        panic!("two own the same blocks");
    };
    assert_eq!(refused.owner, "one on host \"one-host\"");
    let objects = Objects::in_store(Arc::clone(&store) as _);
    let looked = Blocks::open(objects, Options::default(), Opening::ToLook).await;
    assert_eq!(looked.unwrap().0.stats().blocks, 1);
}

#[tokio::test]
async fn who_lost_them_writes_nothing_more() {
    let store = Arc::new(InMemory::new());
    let before = open(&store, "one").await.unwrap();
    add(&before, 1).await.unwrap();
    let objects = Objects::in_store(Arc::clone(&store) as _).owned_by(owner("other"));
    objects.take_over().await.unwrap();
    let blocks = open(&store, "other").await.unwrap();
    let refused = add(&before, 2).await.unwrap_err();
    assert!(matches!(refused, WriteError::Owned(_)), "{refused:?}");
    add(&blocks, 3).await.unwrap();
    assert_eq!(blocks.stats().blocks, 2);
    let again = open(&store, "other").await.unwrap();
    assert_eq!(again.stats().samples, 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_nobodys_to_take() {
    for text in ["", "{", "{\"id\":7}", "\u{0}\u{0}"] {
        let store = Arc::new(InMemory::new());
        let path = Path::from(FILE);
        store
            .put(&path, text.as_bytes().to_vec().into())
            .await
            .unwrap();
        let opened = open(&store, "one").await;
        assert!(matches!(opened, Err(OpenError::Owned(_))), "{text:?}");
    }
}
