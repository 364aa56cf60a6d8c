//! Where a block's files lie in the store of objects, and the one way in which they are written.
//!
//! A file is written front to back, in parts, and checksummed on the way: as a whole, for `check`, and
//! in pieces of [`PIECE`] bytes, so that whoever reads a part of it knows that it is sound.

use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::runtime::Handle;

use super::damage::ObjectsError;
use super::meta::BlockId;
use super::owner::Owner;

/// What is read is checked in pieces of this size: small beside a page of a column, and four bytes
/// each in memory.
pub(super) const PIECE: u64 = 64 << 10;

/// S3 takes parts of 5 MiB at the least and 10,000 of them: files of up to 80 GB.
const PART: usize = 8 << 20;

/// S3 copies objects of up to 5 GiB by itself.
const LARGEST_COPY: u64 = 5 << 30;

/// The samples, the series, and what the block says of itself.
pub(super) const SAMPLES: &str = "samples.parquet";
pub(super) const SERIES: &str = "series.parquet";
pub(super) const META: &str = "meta.json";

/// Where damaged blocks go.
pub(super) const QUARANTINE: &str = "quarantine";

/// Where blocks lie: a folder of this machine, or any store of objects.
#[derive(Clone, Debug)]
pub struct Objects {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Where interrupted writes leave what no listing shows.
    pub(super) folder: Option<PathBuf>,
    /// Who writes here, where others could too.
    pub(super) owner: Option<Owner>,
}

impl Objects {
    /// A folder of this machine, which is created if it is not there. What is written is synced, and
    /// so are the folders that name it.
    ///
    /// # Errors
    /// If the folder cannot be created or opened.
    pub fn in_folder(folder: &FilePath) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(io::Error::other)?;
        Ok(Self {
            store: Arc::new(store.with_fsync(true).with_automatic_cleanup(true)),
            folder: Some(folder.to_owned()),
            owner: None,
        })
    }

    /// A store of objects. Everything in it is taken for a block's. Of the store is relied on that an
    /// object appears whole, and that a listing shows what was written or deleted before.
    #[must_use]
    pub fn in_store(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            folder: None,
            owner: None,
        }
    }

    /// The same where others reach the store too: `owner` alone may write there.
    #[must_use]
    pub fn owned_by(self, owner: Owner) -> Self {
        Self {
            owner: Some(owner),
            ..self
        }
    }

    /// Makes the blocks this owner's, whoever they were of.
    ///
    /// # Errors
    /// If the store of objects refuses; they are whose they were then.
    pub async fn take_over(&self) -> Result<(), ObjectsError> {
        match &self.owner {
            Some(owner) => owner.take_over(&*self.store).await,
            None => Ok(()),
        }
    }
}

pub(super) fn file(block: BlockId, name: &str) -> Path {
    Path::from_iter([block.to_string().as_str(), name])
}

pub(super) fn quarantined(block: &str, name: &str) -> Path {
    Path::from_iter([QUARANTINE, block, name])
}

/// Moves an object. A bucket has no such thing: it is copied and then deleted, so that after a crash in
/// between it is in both places.
pub(super) async fn rename(
    store: &dyn ObjectStore,
    from: &Path,
    to: &Path,
) -> object_store::Result<()> {
    if store.head(from).await?.size <= LARGEST_COPY {
        return store.rename(from, to).await;
    }
    copy_in_parts(store, from, to).await?;
    store.delete(from).await
}

/// Copies an object through this process.
pub(super) async fn copy_in_parts(
    store: &dyn ObjectStore,
    from: &Path,
    to: &Path,
) -> object_store::Result<()> {
    let size = store.head(from).await?.size;
    let mut upload = store.put_multipart(to).await?;
    let mut at = 0;
    while at < size {
        let end = (at + PART as u64).min(size);
        let copied = match store.get_range(from, at..end).await {
            Ok(part) => upload.put_part(part.into()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = copied {
            if let Err(error) = upload.abort().await {
                tracing::debug!(object = %to, %error, "an unfinished upload is left behind");
            }
            return Err(error);
        }
        at = end;
    }
    upload.complete().await.map(drop)
}

/// A file on its way to the store of objects. Blocks its thread.
pub(super) struct Upload {
    objects: Arc<dyn ObjectStore>,
    runtime: Handle,
    path: Path,
    buffer: Vec<u8>,
    parts: Option<Box<dyn MultipartUpload>>,
    written: u64,
    whole: u32,
    tail: u32,
    pieces: Pieces,
}

/// The checksums of a file's pieces, as far as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    complete: Vec<u32>,
    open: u32,
    open_bytes: u64,
}

impl Upload {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, runtime: Handle, path: Path) -> Self {
        Self {
            objects,
            runtime,
            path,
            buffer: Vec::new(),
            parts: None,
            written: 0,
            whole: 0,
            tail: 0,
            pieces: Pieces::default(),
        }
    }

    /// The checksums of everything written so far; the last piece may be short.
    pub(super) fn pieces(&self) -> Vec<u32> {
        self.pieces.all()
    }

    /// Starts a checksum of its own for what follows; says where that is.
    pub(super) fn begin_tail(&mut self) -> u64 {
        self.tail = 0;
        self.written
    }

    /// The checksum of what was written since.
    pub(super) fn tail_crc32c(&self) -> u32 {
        self.tail
    }

    /// Completes the file; says its size and its checksum. On return it is durable.
    pub(super) fn finish(mut self) -> Result<(u64, u32), ObjectsError> {
        let rest = PutPayload::from(std::mem::take(&mut self.buffer));
        let done = match &mut self.parts {
            None => self
                .runtime
                .block_on(self.objects.put(&self.path, rest))
                .map(drop),
            Some(parts) => self.runtime.block_on(async {
                if rest.content_length() > 0 {
                    parts.put_part(rest).await?;
                }
                parts.complete().await.map(drop)
            }),
        };
        done.map_err(|error| ObjectsError::new("write", &self.path, error))?;
        self.parts = None;
        Ok((self.written, self.whole))
    }

    fn send_part(&mut self) -> object_store::Result<()> {
        let part = PutPayload::from(Bytes::from(std::mem::take(&mut self.buffer)));
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => {
                let begun = self
                    .runtime
                    .block_on(self.objects.put_multipart(&self.path))?;
                self.parts.insert(begun)
            }
        };
        self.runtime.block_on(parts.put_part(part))
    }
}

impl io::Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
        self.whole = crc32c::crc32c_append(self.whole, bytes);
        self.tail = crc32c::crc32c_append(self.tail, bytes);
        self.pieces.add(bytes);
        if self.buffer.len() >= PART {
            self.send_part().map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            // In a folder what is left behind is swept at the next opening; in a bucket by its rule.
            if let Err(error) = self.runtime.block_on(parts.abort()) {
                tracing::debug!(object = %self.path, %error, "an unfinished upload is left behind");
            }
        }
    }
}

impl Pieces {
    fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(PIECE - self.open_bytes).unwrap_or(usize::MAX);
            let (taken, rest) = bytes.split_at(room.min(bytes.len()));
            self.open = crc32c::crc32c_append(self.open, taken);
            self.open_bytes += taken.len() as u64;
            if self.open_bytes == PIECE {
                self.complete.push(self.open);
                (self.open, self.open_bytes) = (0, 0);
            }
            bytes = rest;
        }
    }

    fn all(&self) -> Vec<u32> {
        let mut all = self.complete.clone();
        if self.open_bytes > 0 {
            all.push(self.open);
        }
        all
    }
}
