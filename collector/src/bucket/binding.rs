//! What ties a data folder to the bucket that its blocks lie in: `bucket.json` in the data folder.
//!
//! The journal counts on what the blocks say of it, so a data folder without its blocks has lost
//! data, and with another's has lost its mind. So the folder remembers where its blocks lie, and with
//! which name it owns them there, from the first start that reached them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::BLOCKS;

const FILE: &str = "bucket.json";

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    path: PathBuf,
    pub(super) text: Text,
}

/// The file's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    /// As whom this folder owns blocks.
    pub(super) owner: String,
    /// Where they lie, once they were reached there.
    pub(super) blocks: Option<String>,
}

impl Binding {
    /// What the folder remembers, if there is a file.
    pub(super) fn read(data: &Path) -> Result<Option<Self>> {
        let path = data.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let text = serde_json::from_slice(&text)
            .with_context(|| format!("{} is damaged", path.display()))?;
        Ok(Some(Self { path, text }))
    }

    /// Gives the folder a name of its own, unless it has one.
    pub(super) fn read_or_make(data: &Path) -> Result<Self> {
        if let Some(binding) = Self::read(data)? {
            return Ok(binding);
        }
        let mut random = [0; 16];
        let drawn = SystemRandom::new().fill(&mut random);
        drawn.map_err(|_| anyhow!("the system has no random numbers"))?;
        let binding = Self {
            path: data.join(FILE),
            text: Text {
                owner: format!("{:032x}", u128::from_be_bytes(random)),
                blocks: None,
            },
        };
        binding.write()?;
        Ok(binding)
    }

    /// Refuses another bucket than the one that the folder remembers.
    pub(super) fn expect(&self, name: &str) -> Result<()> {
        match &self.text.blocks {
            Some(known) if known != name => bail!(
                "the blocks of this data folder lie at {known}, and store.blocks says {name}; hint: \
                 set it back, or copy all objects there and remove {}",
                self.path.display()
            ),
            _ => Ok(()),
        }
    }

    /// Refuses a folder on which blocks lie that nobody would see any more.
    pub(super) fn expect_no_folder(&self, data: &Path) -> Result<()> {
        let folder = data.join(BLOCKS);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", folder.display()));
            }
        };
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            if entry.path().join("meta.json").exists() {
                bail!(
                    "store.blocks names a bucket, and blocks lie in {}; hint: copy what is in that \
                     folder into the bucket and move the folder away, or leave store.blocks out",
                    folder.display()
                );
            }
        }
        Ok(())
    }

    /// Remembers where the blocks lie.
    pub(super) fn settle(mut self, name: &str) -> Result<()> {
        if self.text.blocks.as_deref() == Some(name) {
            return Ok(());
        }
        self.text.blocks = Some(name.to_owned());
        self.write()
    }

    fn write(&self) -> Result<()> {
        let draft = self.path.with_extension("json.new");
        let text = serde_json::to_string_pretty(&self.text)? + "\n";
        let written = fs::write(&draft, text)
            .and_then(|()| fs::File::open(&draft)?.sync_all())
            .and_then(|()| fs::rename(&draft, &self.path));
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Refuses a folder of blocks where the data folder remembers a bucket.
pub(super) fn expect_none(bound: Option<&Binding>) -> Result<()> {
    match bound {
        Some(Binding {
            path,
            text: Text {
                blocks: Some(known),
                ..
            },
        }) => bail!(
            "the blocks of this data folder lie at {known}, and store.blocks is not set; hint: set \
             it (for nightshift store, give --config FILE), or copy all objects from there into the \
             folder {BLOCKS} and remove {}",
            path.display()
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
