//! Silences: each as it was last, those that are over for some time as well.

use notify::matcher::{Matcher, Matchers, Op};
use notify::silence::Silence;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::alerts::{column, failed};
use super::{StateDb, StateError};

impl StateDb {
    /// Writes silences that are new, or not what they were, in one transaction.
    pub async fn save_silences(&self, silences: &[Silence]) -> Result<(), StateError> {
        let saved = self.try_save_silences(silences).await;
        saved.map_err(failed("save silences"))
    }

    async fn try_save_silences(&self, silences: &[Silence]) -> Result<(), sqlx::Error> {
        let mut transaction = self.writer.begin().await?;
        for silence in silences {
            sqlx::query(
                "INSERT INTO silence (id, matchers, starts_at_ms, ends_at_ms, updated_at_ms, created_by, \
                 comment) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET \
                 matchers = excluded.matchers, starts_at_ms = excluded.starts_at_ms, \
                 ends_at_ms = excluded.ends_at_ms, updated_at_ms = excluded.updated_at_ms, \
                 created_by = excluded.created_by, comment = excluded.comment",
            )
            .bind(&silence.id)
            .bind(written(&silence.matchers))
            .bind(silence.starts_at_ms)
            .bind(silence.ends_at_ms)
            .bind(silence.updated_at_ms)
            .bind(&silence.created_by)
            .bind(&silence.comment)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }

    /// All silences.
    pub async fn silences(&self) -> Result<Vec<Silence>, StateError> {
        let all = "SELECT id, matchers, starts_at_ms, ends_at_ms, updated_at_ms, created_by, comment \
                   FROM silence";
        let rows = sqlx::query(all).fetch_all(&self.writer).await;
        let read = rows.and_then(|rows| rows.iter().map(read).collect());
        read.map_err(failed("read silences"))
    }

    /// Forgets silences that ended before a time.
    pub async fn forget_silences(&self, at_ms: i64) -> Result<(), StateError> {
        let gone = sqlx::query("DELETE FROM silence WHERE ends_at_ms < $1").bind(at_ms);
        let gone = gone.execute(&self.writer).await;
        gone.map(|_| ()).map_err(failed("forget old silences"))
    }
}

/// Matchers as JSON: name, operator and value of each.
fn written(matchers: &Matchers) -> String {
    let triple = |one: &Matcher| serde_json::json!([one.name(), one.op().as_str(), one.value()]);
    serde_json::Value::Array(matchers.iter().map(triple).collect()).to_string()
}

fn read_matchers(text: &str) -> Option<Matchers> {
    let triples: Vec<(String, String, String)> = serde_json::from_str(text).ok()?;
    let matcher = |(name, op, value): (String, String, String)| {
        let ops = [Op::Equal, Op::NotEqual, Op::Matches, Op::NotMatches];
        let op = ops.into_iter().find(|one| one.as_str() == op)?;
        Matcher::new(name, op, value).ok()
    };
    let matchers: Option<Vec<Matcher>> = triples.into_iter().map(matcher).collect();
    matchers.map(Matchers::new)
}

fn read(row: &SqliteRow) -> Result<Silence, sqlx::Error> {
    Ok(Silence {
        id: row.try_get("id")?,
        matchers: column(row, "matchers", read_matchers)?,
        starts_at_ms: row.try_get("starts_at_ms")?,
        ends_at_ms: row.try_get("ends_at_ms")?,
        updated_at_ms: row.try_get("updated_at_ms")?,
        created_by: row.try_get("created_by")?,
        comment: row.try_get("comment")?,
    })
}
