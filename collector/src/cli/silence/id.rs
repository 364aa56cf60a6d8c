//! Finds the silence that a person means by the beginning of its id.

use serde_json::Value;

use crate::cli::query::Failure;

/// The silence of an id, or the only one whose id begins so.
pub(super) fn find(silences: Vec<Value>, id: &str) -> Result<Value, Failure> {
    let begins = |silence: &Value| silence["id"].as_str().is_some_and(|it| it.starts_with(id));
    let mut found: Vec<Value> = silences.into_iter().filter(begins).collect();
    if id.is_empty() || found.is_empty() {
        let hint = "nightshift silence list --expired shows all there are";
        return Err(Failure::refused(format!("there is no silence {id:?}"))
            .with_hint(Some(hint.to_owned())));
    }
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().filter_map(|it| it["id"].as_str()).collect();
        let hint = format!("write more of it: {}", ids.join(", "));
        let failure = Failure::usage(format!("{} silences begin with {id}", found.len()));
        return Err(failure.with_hint(Some(hint)));
    }
    Ok(found.remove(0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_beginning_of_an_id_is_enough() {
        let check = |id: &str, expected: Result<&str, (u8, &str)>| {
            let silences = vec![json!({"id": "abc1"}), json!({"id": "abd2"})];
            match (find(silences, id), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found["id"], expected),
                (Err(failure), Err((code, part))) => {
                    assert_eq!(failure.code(), code);
                    assert!(failure.to_string().contains(part), "{failure}");
                }
                (found, _) => panic!("{id}: {found:?}"),
            }
        };
        check("abc", Ok("abc1"));
        check("abd2", Ok("abd2"));
        check("ab", Err((2, "abc1, abd2")));
        check("x", Err((3, "no silence \"x\"")));
        check("", Err((3, "no silence")));
    }
}
