//! How far the journal is read back, in the words in which Prometheus says it of its log.
//!
//! Prometheus counts files, and so does this. Which of them is being read the journal does not tell;
//! so `current` is the first one until all are read.

use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use store::embedded::Folders;

use super::Api;
use super::answer::success;

/// The journal's files at the start, by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    first: u64,
    last: u64,
}

impl Replay {
    /// Looks what there is to read back. A folder that cannot be read holds nothing to wait for; who
    /// opens it says what is wrong with it.
    #[must_use]
    pub fn below(data: &Path) -> Self {
        let entries = std::fs::read_dir(Folders::below(data).journal);
        let names = entries.into_iter().flatten().flatten();
        let numbers = names.filter_map(|entry| number(Path::new(&entry.file_name())));
        let bounds = numbers.fold(None, |bounds: Option<(u64, u64)>, number| {
            let (first, last) = bounds.unwrap_or((number, number));
            Some((first.min(number), last.max(number)))
        });
        let (first, last) = bounds.unwrap_or_default();
        Self { first, last }
    }
}

/// The number of a file of the journal.
fn number(name: &Path) -> Option<u64> {
    if name.extension()? != "journal" {
        return None;
    }
    name.file_stem()?.to_str()?.parse().ok()
}

pub(super) async fn status(State(api): State<Arc<Api>>) -> Response {
    let Replay { first, last } = api.replay;
    let (current, state) = match api.gate.store() {
        Some(_) => (last, "done"),
        None => (first, "in progress"),
    };
    success(json!({"min": first, "max": last, "current": current, "state": state}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_journal_are_counted() {
        let check = |names: &[&str], expected: (u64, u64)| {
            let data = tempfile::tempdir().unwrap();
            let journal = Folders::below(data.path()).journal;
            std::fs::create_dir(&journal).unwrap();
            for name in names {
                std::fs::write(journal.join(name), "").unwrap();
            }
            let Replay { first, last } = Replay::below(data.path());
            assert_eq!((first, last), expected, "{names:?}");
        };
        check(&[], (0, 0));
        check(&["00000000000000000007.journal"], (7, 7));
        check(
            &[
                "3.journal",
                "12.journal",
                "5.journal",
                "99.tmp",
                "x.journal",
                "checkpoint",
            ],
            (3, 12),
        );
        assert_eq!(Replay::below(Path::new("/nowhere")), Replay::default());
    }
}
