//! The blocks there are, in memory and in the store of objects: opening, taking in, letting go.
//!
//! A block is *shelved* while queries see it. Once it is replaced, too old or damaged it leaves the
//! shelf at once, but its files stay until nobody reads them any more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::cache::Cache;
use super::damage::{Damage, ObjectsError};
use super::find::{Block, Place};
use super::meta::{BlockId, Meta, MetaError, Provenance};
use super::objects::{self, META, Objects, QUARANTINE, SAMPLES, SERIES};
use super::{OpenError, Opening};

/// The blocks there are.
#[derive(Debug)]
pub(super) struct Shelf {
    objects: Arc<dyn ObjectStore>,
    pub(super) cache: Arc<Cache>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// From the oldest to the newest.
    blocks: Vec<Arc<Block>>,
    /// Off the shelf, in the order in which they are to be deleted.
    retired: VecDeque<Arc<Block>>,
    next_id: u64,
    mark: u64,
    quarantined: u64,
}

/// What lies in the store of objects under one name.
#[derive(Debug, Default)]
struct Found {
    /// Size by name.
    files: BTreeMap<String, u64>,
}

impl Shelf {
    /// Reads what blocks say of themselves. Unless only looking, it also removes what interrupted
    /// writes and merges left behind, and moves damaged blocks aside.
    pub(super) async fn open(
        objects: &Objects,
        cache: Arc<Cache>,
        opening: Opening,
    ) -> Result<(Self, Vec<Damage>), OpenError> {
        if opening == Opening::ToServe
            && let Some(folder) = &objects.folder
        {
            sweep_folder(folder)?;
        }
        let shelf = Self {
            objects: Arc::clone(&objects.store),
            cache,
            state: Mutex::default(),
        };
        let mut damages = Vec::new();
        let mut metas = Vec::new();
        for (name, found) in shelf.list().await? {
            let Ok(id) = name.parse::<BlockId>() else {
                continue;
            };
            shelf.lock().use_up(id);
            match shelf.read_meta(id, &found).await? {
                Some(Ok(meta)) => metas.push(meta),
                Some(Err(damage)) => {
                    damages.push(damage);
                    if opening == Opening::ToServe {
                        shelf.move_aside(id).await?;
                    }
                }
                None if opening == Opening::ToServe => shelf.delete(id).await?,
                None => {}
            }
        }
        let replaced: BTreeSet<BlockId> = metas
            .iter()
            .flat_map(|meta| meta.replaces.clone())
            .collect();
        for meta in metas {
            if !replaced.contains(&meta.id) {
                shelf.add(meta);
            } else if opening == Opening::ToServe {
                shelf.delete(meta.id).await?;
            }
        }
        Ok((shelf, damages))
    }

    /// The blocks that queries see, from the oldest to the newest.
    pub(super) fn blocks(&self) -> Vec<Arc<Block>> {
        self.lock().blocks.clone()
    }

    /// A number that no block has had.
    pub(super) fn new_id(&self) -> BlockId {
        let mut state = self.lock();
        state.next_id += 1;
        BlockId(state.next_id)
    }

    pub(super) fn mark(&self) -> u64 {
        self.lock().mark
    }

    pub(super) fn quarantined(&self) -> u64 {
        self.lock().quarantined
    }

    /// Puts a block on the shelf, and takes those off that it replaces, at once.
    pub(super) fn add(&self, meta: Meta) {
        let replaced = meta.replaces.clone();
        let Provenance { mark, .. } = meta.provenance;
        let block = self.block(meta, Place::Shelf);
        let mut state = self.lock();
        state.mark = state.mark.max(mark);
        state.retire(&replaced);
        state.blocks.push(block);
        state
            .blocks
            .sort_by_key(|block| (block.meta.order, block.meta.id));
    }

    /// Takes blocks off the shelf.
    pub(super) fn retire(&self, ids: &[BlockId]) {
        self.lock().retire(ids);
    }

    /// Whether anything is off the shelf that is to be deleted.
    pub(super) fn has_retired(&self) -> bool {
        !self.lock().retired.is_empty()
    }

    /// Deletes what is off the shelf and not being read; says how many blocks that were. A block goes
    /// only after those that it replaced, so that none of them comes back.
    pub(super) async fn delete_retired(&self) -> Result<usize, ObjectsError> {
        let mut deleted = 0;
        loop {
            let Some(id) = self.lock().next_unused() else {
                return Ok(deleted);
            };
            self.delete(id).await?;
            self.cache.forget(id);
            self.lock().retired.pop_front();
            deleted += 1;
        }
    }

    /// Takes a damaged block off the shelf and moves its files aside.
    pub(super) async fn quarantine(&self, id: BlockId) -> Result<(), ObjectsError> {
        {
            let mut state = self.lock();
            let before = state.blocks.len();
            state.blocks.retain(|block| block.meta.id != id);
            if state.blocks.len() == before {
                return Ok(());
            }
        }
        self.cache.forget(id);
        self.move_aside(id).await
    }

    /// The damaged blocks that lie aside and still say what they are, from the oldest to the newest.
    pub(super) async fn aside(&self) -> Result<Vec<Arc<Block>>, ObjectsError> {
        let prefix = Path::from(QUARANTINE);
        let failed = |error| ObjectsError::new("read", &prefix, error);
        let mut blocks = Vec::new();
        let mut listing = self.objects.list(Some(&prefix));
        while let Some(object) = listing.try_next().await.map_err(failed)? {
            if object.location.filename() != Some(META) {
                continue;
            }
            let meta = self.objects.get(&object.location).await.map_err(failed)?;
            let meta = meta.bytes().await.map_err(failed)?;
            if let Ok(meta) = Meta::decode(&meta) {
                blocks.push(self.block(meta, Place::Quarantine));
            }
        }
        blocks.sort_by_key(|block| (block.meta.order, block.meta.id));
        Ok(blocks)
    }

    fn block(&self, meta: Meta, place: Place) -> Arc<Block> {
        let (objects, cache) = (Arc::clone(&self.objects), Arc::clone(&self.cache));
        Arc::new(Block::new(meta, objects, cache, place))
    }

    /// Removes the files of a block; the one that makes it a block goes first.
    pub(super) async fn delete(&self, id: BlockId) -> Result<(), ObjectsError> {
        for name in [META, SAMPLES, SERIES] {
            let path = objects::file(id, name);
            match self.objects.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(ObjectsError::new("delete", &path, error)),
            }
        }
        Ok(())
    }

    /// Moves the files of a block aside. What says that they are a block goes last: without it the next
    /// opening would take the others, if a crash came in between, for the remains of a write.
    async fn move_aside(&self, id: BlockId) -> Result<(), ObjectsError> {
        for name in [SAMPLES, SERIES, META] {
            let path = objects::file(id, name);
            let aside = objects::quarantined(&id.to_string(), name);
            match objects::rename(&*self.objects, &path, &aside).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(ObjectsError::new("move", &path, error)),
            }
        }
        self.lock().quarantined += 1;
        Ok(())
    }

    async fn list(&self) -> Result<BTreeMap<String, Found>, ObjectsError> {
        let failed = |error| ObjectsError::new("list", &Path::default(), error);
        let mut all: BTreeMap<String, Found> = BTreeMap::new();
        let mut listing = self.objects.list(None);
        while let Some(object) = listing.try_next().await.map_err(failed)? {
            let mut parts = object.location.parts();
            let (Some(block), Some(name)) = (parts.next(), parts.next()) else {
                continue;
            };
            if block.as_ref() == QUARANTINE {
                // Numbers of blocks that lie aside are not given again.
                if let Ok(id) = name.as_ref().parse() {
                    self.lock().use_up(id);
                }
                continue;
            }
            let found = all.entry(block.as_ref().to_owned()).or_default();
            found.files.insert(name.as_ref().to_owned(), object.size);
        }
        Ok(all)
    }

    /// What a block says of itself, if it was ever completed.
    async fn read_meta(
        &self,
        id: BlockId,
        found: &Found,
    ) -> Result<Option<Result<Meta, Damage>>, OpenError> {
        if !found.files.contains_key(META) {
            return Ok(None);
        }
        let path = objects::file(id, META);
        let failed = |error| ObjectsError::new("read", &path, error);
        let object = self.objects.get(&path).await.map_err(failed)?;
        let bytes = object.bytes().await.map_err(failed)?;
        let meta = match Meta::decode(&bytes) {
            Ok(meta) if meta.id == id => meta,
            Ok(_) => {
                let what = "it is of another block";
                return Ok(Some(Err(Damage::new(&path, 0, what))));
            }
            Err(MetaError::Version(version)) => {
                let object = path.to_string();
                return Err(OpenError::Version { object, version });
            }
            Err(error) => return Ok(Some(Err(Damage::new(&path, 0, error)))),
        };
        for (name, file) in [(SAMPLES, meta.samples_file), (SERIES, meta.series_file)] {
            let size = found.files.get(name).copied();
            let path = objects::file(id, name);
            match size {
                Some(size) if size == file.bytes => {}
                Some(size) => {
                    let what = format_args!("it has {size} of {} bytes", file.bytes);
                    let offset = size.min(file.bytes);
                    return Ok(Some(Err(Damage::new(&path, offset, what))));
                }
                None => return Ok(Some(Err(Damage::new(&path, 0, "it is missing")))),
            }
        }
        Ok(Some(Ok(meta)))
    }

    // Every change leaves a state that is whole, so a panic elsewhere does not matter.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn use_up(&mut self, id: BlockId) {
        self.next_id = self.next_id.max(id.0);
    }

    fn retire(&mut self, ids: &[BlockId]) {
        let is_gone = |block: &mut Arc<Block>| ids.contains(&block.meta.id);
        let gone = self.blocks.extract_if(.., is_gone);
        self.retired.extend(gone);
    }

    fn next_unused(&self) -> Option<BlockId> {
        let next = self.retired.front()?;
        // Nobody finds it any more, so the count can only fall.
        (Arc::strong_count(next) == 1).then_some(next.meta.id)
    }
}

/// Removes what an interrupted write leaves in a folder under names that no listing shows.
fn sweep_folder(folder: &FilePath) -> Result<(), OpenError> {
    let failed = |source| OpenError::Folder {
        path: folder.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let is_block = name
            .to_str()
            .is_some_and(|it| it.parse::<BlockId>().is_ok());
        if is_block && !entry.path().join(META).exists() {
            std::fs::remove_dir_all(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}
