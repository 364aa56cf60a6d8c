//! Silences as people change them: what they may be is the crate `notify`'s.

use notify::silence::{Edit, Silence, SilenceError};
use uuid::Uuid;
use wire::causes::with_causes;

use crate::state::{StateDb, StateError};

use super::Notifier;
use super::dispatcher::lock;

/// Why a silence was not changed.
#[derive(Debug, thiserror::Error)]
pub enum SilenceTrouble {
    /// There is none of this id.
    #[error("silence {0} not found")]
    Unknown(String),
    /// It has ended already.
    #[error("silence {0} already expired")]
    Expired(String),
    /// It may not be.
    #[error(transparent)]
    Wrong(#[from] SilenceError),
    /// The collector is starting.
    #[error("not ready to take silences in")]
    NotReady,
    /// It could not be kept.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Notifier {
    /// All silences, those that are over as well.
    #[must_use]
    pub fn silences(&self) -> Vec<Silence> {
        lock(&self.desk).silences.values().cloned().collect()
    }

    /// Takes a silence in, or changes the one of its id; gives the id that it has now. After success it
    /// survives any crash, and nothing that is decided from then on is told against it.
    pub async fn set_silence(
        &self,
        silence: Silence,
        now_ms: i64,
    ) -> Result<String, SilenceTrouble> {
        let db = self.db.get().ok_or(SilenceTrouble::NotReady)?;
        let _turn = self.silence_turn.lock().await;
        silence.validate(now_ms)?;
        let before = match silence.id.as_str() {
            "" => None,
            id => Some(self.silence(id)?),
        };
        let mut changed = Vec::new();
        let begin = |silence: Silence| silence.begun(Uuid::new_v4().to_string(), now_ms);
        let new = match before.map(|before| (before.edit(&silence, now_ms), before)) {
            None => begin(silence),
            Some((Edit::InPlace, before)) => Silence {
                id: before.id,
                updated_at_ms: now_ms,
                ..silence
            },
            Some((Edit::Replace, before)) => {
                changed.extend(before.expired(now_ms));
                begin(silence)
            }
        };
        let id = new.id.clone();
        changed.push(new);
        self.keep(db, changed).await?;
        Ok(id)
    }

    /// Ends a silence now.
    pub async fn expire_silence(&self, id: &str, now_ms: i64) -> Result<(), SilenceTrouble> {
        let db = self.db.get().ok_or(SilenceTrouble::NotReady)?;
        let _turn = self.silence_turn.lock().await;
        let expired = self.silence(id)?.expired(now_ms);
        let expired = expired.ok_or_else(|| SilenceTrouble::Expired(id.to_owned()))?;
        self.keep(db, vec![expired]).await?;
        Ok(())
    }

    /// Lets go of silences that ended before a time.
    pub(super) async fn forget_silences(&self, db: &StateDb, at_ms: i64) {
        let _turn = self.silence_turn.lock().await;
        match db.forget_silences(at_ms).await {
            Ok(()) => {
                let mut desk = lock(&self.desk);
                desk.silences
                    .retain(|_, silence| silence.ends_at_ms >= at_ms);
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!(error, "cannot forget old silences");
            }
        }
    }

    fn silence(&self, id: &str) -> Result<Silence, SilenceTrouble> {
        let silence = lock(&self.desk).silences.get(id).cloned();
        silence.ok_or_else(|| SilenceTrouble::Unknown(id.to_owned()))
    }

    async fn keep(&self, db: &StateDb, changed: Vec<Silence>) -> Result<(), StateError> {
        db.save_silences(&changed).await?;
        let changed = changed.into_iter();
        let mut desk = lock(&self.desk);
        desk.silences
            .extend(changed.map(|silence| (silence.id.clone(), silence)));
        Ok(())
    }
}
