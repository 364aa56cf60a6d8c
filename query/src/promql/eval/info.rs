//! `info`: labels taken over from info series of the same target.
//!
//! A series and an info series are of one target if `instance` and `job` agree. Of several info series
//! of one name the one with the newest sample counts; labels that the series has itself stay.

use std::collections::HashMap;

use store::labels::{Labels, METRIC_NAME};

use super::Evaluator;
use super::finish::merge_row;
use super::row::{ABSENT, Row, Sink, is_absent};
use crate::promql::error::QueryError;
use crate::promql::labels;
use crate::promql::plan::{Grid, Info};

/// The labels that say which target a series is of.
const TARGET: [&str; 2] = ["instance", "job"];

impl Evaluator<'_> {
    pub(super) fn info(
        &self,
        info: &Info,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let infos = self.info_series(info, grid)?;
        let mut places = HashMap::new();
        let mut rows = Vec::new();
        self.vector(&info.of, grid, &mut |row| {
            self.interrupt.check()?;
            let is_info = info
                .names
                .iter()
                .all(|name| name.accepts(row.labels.metric_name()));
            if is_info {
                return merge_row(&mut places, &mut rows, row);
            }
            let candidates = infos.get(&target_of(&row.labels)).map(Vec::as_slice);
            for row in joined(&row, candidates.unwrap_or_default(), info)? {
                self.charge(row.values.len())?;
                merge_row(&mut places, &mut rows, row)?;
            }
            Ok(())
        })?;
        rows.into_iter().try_for_each(sink)
    }

    /// Info series by their target, with the times of their samples as values.
    fn info_series(
        &self,
        info: &Info,
        grid: Grid,
    ) -> Result<HashMap<Labels, Vec<Row>>, QueryError> {
        let mut infos: HashMap<Labels, Vec<Row>> = HashMap::new();
        self.sample_times(&info.infos, grid, &mut |row| {
            let wanted = |known: &&store::matcher::Matcher| {
                known.accepts(row.labels.get(known.label()).unwrap_or_default())
            };
            if info.labels.iter().filter(wanted).count() == info.labels.len() {
                self.charge(row.values.len())?;
                infos.entry(target_of(&row.labels)).or_default().push(row);
            }
            Ok(())
        })?;
        Ok(infos)
    }
}

fn target_of(labels: &Labels) -> Labels {
    labels::keep(labels, &TARGET.map(str::to_owned))
}

/// A series with the labels of its info series, which may be others at other steps.
fn joined(row: &Row, infos: &[Row], info: &Info) -> Result<Vec<Row>, QueryError> {
    let mut by_infos: HashMap<Vec<usize>, Vec<f64>> = HashMap::new();
    for (step, value) in row.values.iter().enumerate() {
        if is_absent(*value) {
            continue;
        }
        let present = newest_at(infos, step)?;
        let values = by_infos
            .entry(present)
            .or_insert_with(|| vec![ABSENT; row.values.len()]);
        values[step] = *value;
    }
    let mut rows = Vec::new();
    for (present, values) in by_infos {
        if let Some(labels) = labels_with(
            &row.labels,
            present.iter().map(|place| &infos[*place]),
            info,
        )? {
            rows.push(Row {
                labels,
                unnamed: row.unnamed,
                values,
            });
        }
    }
    Ok(rows)
}

/// Of each name the info series with the newest sample.
fn newest_at(infos: &[Row], step: usize) -> Result<Vec<usize>, QueryError> {
    let mut newest: Vec<usize> = Vec::new();
    for (place, candidate) in infos.iter().enumerate() {
        let time = candidate.values[step];
        if is_absent(time) {
            continue;
        }
        let name = candidate.labels.metric_name();
        let Some(known) = newest
            .iter_mut()
            .find(|known| infos[**known].labels.metric_name() == name)
        else {
            newest.push(place);
            continue;
        };
        let known_time = infos[*known].values[step];
        if known_time == time {
            return Err(QueryError::Execution(format!(
                "found duplicate series for info metric: existing {}, new {}",
                labels::text(&infos[*known].labels),
                labels::text(&candidate.labels)
            )));
        }
        if time > known_time {
            *known = place;
        }
    }
    Ok(newest)
}

/// The labels of a series with those of its info series; nothing if the query wants labels that no
/// info series has.
fn labels_with<'a>(
    base: &Labels,
    infos: impl Iterator<Item = &'a Row>,
    info: &Info,
) -> Result<Option<Labels>, QueryError> {
    let wanted = |name: &str| {
        name != METRIC_NAME
            && !TARGET.contains(&name)
            && (info.labels.is_empty() || info.labels.iter().any(|known| known.label() == name))
    };
    let mut added: Vec<(&str, &str)> = Vec::new();
    for (name, value) in infos.flat_map(|row| row.labels.iter()) {
        if !wanted(name) || base.get(name).is_some() {
            continue;
        }
        match added.iter().find(|(known, _)| *known == name) {
            None => added.push((name, value)),
            Some((_, known)) if *known == value => {}
            Some(_) => return Err(QueryError::Execution(format!("conflicting label: {name}"))),
        }
    }
    if added.is_empty() && info.labels.iter().any(|known| !known.accepts("")) {
        return Ok(None);
    }
    Ok(Some(Labels::from_pairs(base.iter().chain(added))))
}
