//! How far a target has come, in a file of its own: replaced whole, so that a crash leaves either the
//! old one or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use store::tail::Position;

/// How far a target has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Everything before is done with.
    pub(super) done: Position,
    /// Up to here it was being sent; the same as `done` where nothing was.
    pub(super) sending: Position,
}

/// The cursor as the file has it: numbers of files and bytes in them.
#[derive(Serialize, Deserialize)]
struct Written {
    done: (u64, u64),
    sending: (u64, u64),
}

/// Where the cursor is kept.
#[derive(Debug)]
pub(super) struct CursorFile {
    path: PathBuf,
}

impl CursorFile {
    pub(super) fn of(folder: &Path, target: &str) -> Self {
        Self {
            path: folder.join(format!("{target}.json")),
        }
    }

    /// The cursor; nothing where there is no file yet. A file that is not a cursor is an error: going
    /// on from somewhere else would lose what it stood for.
    pub(super) fn read(&self) -> io::Result<Option<Cursor>> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.named(&error)),
        };
        let written: Written = serde_json::from_slice(&text)
            .map_err(|error| self.named(&io::Error::new(io::ErrorKind::InvalidData, error)))?;
        let position = |(segment, offset)| Position { segment, offset };
        Ok(Some(Cursor {
            done: position(written.done),
            sending: position(written.sending),
        }))
    }

    /// Replaces the cursor; durable when it returns.
    pub(super) fn write(&self, cursor: &Cursor) -> io::Result<()> {
        self.replace(cursor).map_err(|error| self.named(&error))
    }

    fn replace(&self, cursor: &Cursor) -> io::Result<()> {
        let numbers = |position: Position| (position.segment, position.offset);
        let written = Written {
            done: numbers(cursor.done),
            sending: numbers(cursor.sending),
        };
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let draft = self.path.with_extension("new");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(&written)?)?;
        file.sync_data()?;
        fs::rename(&draft, &self.path)
    }

    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_back_and_never_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let file = CursorFile::of(&folder.path().join("forward"), "a");
        assert_eq!(file.read().unwrap(), None);
        let position = |segment, offset| Position { segment, offset };
        for number in 1..3 {
            let cursor = Cursor {
                done: position(number, 7),
                sending: position(number, u64::MAX),
            };
            file.write(&cursor).unwrap();
            assert_eq!(file.read().unwrap(), Some(cursor));
        }
        fs::write(&file.path, "{\"done\": [1").unwrap();
        let error = file.read().unwrap_err();
        assert!(error.to_string().contains("forward/a.json"), "{error}");
    }
}
