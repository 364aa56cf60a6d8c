//! Groups page by page: `group_limit` of them, and a token for where the next page begins.

use ring::digest;
use serde_json::Value;

use crate::judge::GroupStatus;

use super::super::answer::ApiError;
use super::super::params::Params;

/// Which groups are told.
pub(super) struct Page {
    limit: Option<usize>,
    from: Option<String>,
}

impl Page {
    pub(super) fn read(params: &Params) -> Result<Self, ApiError> {
        let from = params.first("group_next_token").map(str::to_owned);
        let Some(limit) = params.first("group_limit") else {
            return match from {
                None => Ok(Self { limit: None, from }),
                Some(_) => {
                    let why =
                        "group_limit needs to be present in order to paginate over the groups";
                    Err(ApiError::parameter("group_next_token", why))
                }
            };
        };
        let number = limit.parse::<i64>().map_err(|_| {
            let why = format!("group_limit needs to be a valid number: cannot parse {limit:?}");
            ApiError::parameter("group_limit", why)
        })?;
        match usize::try_from(number) {
            Ok(limit) if limit > 0 => Ok(Self {
                limit: Some(limit),
                from,
            }),
            _ => {
                let why = "group_limit needs to be greater than 0";
                Err(ApiError::parameter("group_limit", why))
            }
        }
    }

    /// The groups of the page, and the token of the next one if there is one.
    pub(super) fn cut<'a>(
        &self,
        groups: impl Iterator<Item = (&'a GroupStatus, Value)>,
    ) -> Result<(Vec<Value>, Option<String>), ApiError> {
        let mut page = Vec::new();
        let mut is_found = self.from.is_none();
        for (group, shown) in groups {
            if !is_found {
                if self.from.as_deref() != Some(token(group).as_str()) {
                    continue;
                }
                is_found = true;
            }
            if self.limit == Some(page.len()) {
                return Ok((page, Some(token(group))));
            }
            page.push(shown);
        }
        if is_found {
            return Ok((page, None));
        }
        let from = self.from.as_deref().unwrap_or_default();
        let why = format!("invalid group_next_token {from:?}. were rule groups changed?");
        Err(ApiError::parameter("group_next_token", why))
    }
}

fn token(group: &GroupStatus) -> String {
    let name = format!("{};{}", group.file, group.name);
    let digest = digest::digest(&digest::SHA256, name.as_bytes());
    let half = digest.as_ref().iter().take(20);
    half.map(|byte| format!("{byte:02x}")).collect()
}
