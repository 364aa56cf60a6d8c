//! Whose blocks lie in a store of objects that several machines can reach: `owner.json`.
//!
//! It owns the bytes of that file. Two who write blocks in one place would give the same numbers
//! twice, and each would delete what the other wrote. A folder of one machine is held by a lock; a
//! store of objects has none that ends with its holder, so the first who opens it writes down who it
//! is, and everybody else is refused until the blocks are taken over on purpose. Whoever lost them that
//! way notices before it writes or deletes anything more.

use std::fmt;

use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};
use serde::{Deserialize, Serialize};

use super::OpenError;
use super::damage::{ObjectsError, WriteError};

const FILE: &str = "owner.json";

/// Who writes blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Never that of another.
    pub id: String,
    /// On which host, for a person to read.
    pub host: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on host {:?}", self.id, self.host)
    }
}

/// The blocks belong to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the blocks are {owner}'s, by their {FILE}")]
pub struct OwnedError {
    /// To whom, as far as it can be read.
    pub owner: String,
}

impl Owner {
    /// Becomes the owner of what is nobody's.
    pub(super) async fn claim(&self, objects: &dyn ObjectStore) -> Result<(), OpenError> {
        if let Some(found) = read(objects).await? {
            return Ok(self.compare(&found)?);
        }
        // Where two come at once the condition lets one of them in; where the store knows no
        // conditions, the later one is read back by both.
        match self.put(objects, PutMode::Create).await {
            Ok(()) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
            Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
                self.take_over(objects).await?;
            }
            Err(error) => return Err(ObjectsError::new("write", &Path::from(FILE), error).into()),
        }
        match read(objects).await? {
            Some(found) => Ok(self.compare(&found)?),
            None => {
                let owner = "nobody".to_owned();
                Err(OwnedError { owner }.into())
            }
        }
    }

    /// Makes sure that nobody took over since.
    pub(super) async fn confirm(&self, objects: &dyn ObjectStore) -> Result<(), WriteError> {
        let found = read(objects).await?;
        Ok(self.compare(&found.unwrap_or_default())?)
    }

    /// Becomes the owner, whoever was it.
    pub(super) async fn take_over(&self, objects: &dyn ObjectStore) -> Result<(), ObjectsError> {
        let put = self.put(objects, PutMode::Overwrite).await;
        put.map_err(|error| ObjectsError::new("write", &Path::from(FILE), error))
    }

    async fn put(&self, objects: &dyn ObjectStore, mode: PutMode) -> object_store::Result<()> {
        // Two texts: nothing in it can fail to serialize.
        let text = serde_json::to_string(self).unwrap_or_default() + "\n";
        let path = Path::from(FILE);
        let put = objects.put_opts(&path, text.into(), mode.into());
        put.await.map(drop)
    }

    /// The id alone counts: a host may be renamed.
    fn compare(&self, found: &[u8]) -> Result<(), OwnedError> {
        match serde_json::from_slice::<Self>(found) {
            Ok(owner) if owner.id == self.id => Ok(()),
            Ok(owner) => Err(OwnedError {
                owner: owner.to_string(),
            }),
            Err(_) => Err(OwnedError {
                owner: "somebody unknown".to_owned(),
            }),
        }
    }
}

async fn read(objects: &dyn ObjectStore) -> Result<Option<Vec<u8>>, ObjectsError> {
    let path = Path::from(FILE);
    let failed = |error| ObjectsError::new("read", &path, error);
    match objects.get(&path).await {
        Ok(object) => Ok(Some(object.bytes().await.map_err(failed)?.to_vec())),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests;
