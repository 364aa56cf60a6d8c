//! What a script expects of an evaluation.

use regex::Regex;
use store::labels::Labels;

use super::command::time;
use super::notation::Item;

/// What is to come of an evaluation.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    pub(super) fail: Option<Texts>,
    pub(super) warn: Option<Texts>,
    pub(super) info: Option<Texts>,
    pub(super) no_warn: bool,
    pub(super) no_info: bool,
    pub(super) ordered: bool,
    pub(super) text: Option<String>,
    pub(super) scalar: Option<f64>,
    pub(super) range: Option<Steps>,
    pub(super) series: Vec<Sequence>,
}

/// The times of an expected range vector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub(super) start_ms: i64,
    pub(super) step_ms: i64,
}

/// An expected series.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    pub(super) labels: Labels,
    pub(super) items: Vec<Item>,
}

/// Messages that are expected; none of them means that any will do.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts(Vec<Text>);

#[derive(Clone, Debug)]
enum Text {
    Exactly(String),
    Matching(Regex),
}

impl Texts {
    /// Whether a message is among those expected.
    pub(super) fn accept(&self, message: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|text| text.accepts(message))
    }

    /// Whether the messages are those expected: all of them and no others.
    pub(super) fn fit(&self, messages: &[String]) -> bool {
        let all_found = self
            .0
            .iter()
            .all(|text| messages.iter().any(|message| text.accepts(message)));
        !messages.is_empty() && all_found && messages.iter().all(|message| self.accept(message))
    }
}

impl Text {
    fn accepts(&self, message: &str) -> bool {
        match self {
            Self::Exactly(text) => text == message,
            Self::Matching(pattern) => pattern.is_match(message),
        }
    }
}

impl Expected {
    /// The older notation: a word at the command.
    pub(super) fn apply_word(&mut self, word: &str) {
        match word {
            "fail" => self.fail = Some(Texts::default()),
            "warn" => self.warn = Some(Texts::default()),
            "info" => self.info = Some(Texts::default()),
            "ordered" => self.ordered = true,
            _ => {}
        }
    }
}

/// Reads what stands behind `expect`, and also what the older notation has in place of it.
pub(super) fn expectation(line: &str, expected: &mut Expected) -> Result<(), String> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match word {
        "fail" => add(&mut expected.fail, rest),
        "warn" => add(&mut expected.warn, rest),
        "info" => add(&mut expected.info, rest),
        "no_warn" => flag(&mut expected.no_warn),
        "no_info" => flag(&mut expected.no_info),
        "ordered" => flag(&mut expected.ordered),
        "string" => {
            expected.text = Some(crate::promql::unquote(rest).map_err(str::to_owned)?);
            Ok(())
        }
        "range" => {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let ["vector", "from", start, "to", _, "step", step] = words.as_slice() else {
                return Err(format!("not a range vector: {line}"));
            };
            expected.range = Some(Steps {
                start_ms: time(start)?,
                step_ms: time(step)?,
            });
            Ok(())
        }
        _ => Err(format!("not an expectation: {line}")),
    }
}

#[allow(clippy::unnecessary_wraps)]
fn flag(flag: &mut bool) -> Result<(), String> {
    *flag = true;
    Ok(())
}

fn add(texts: &mut Option<Texts>, rest: &str) -> Result<(), String> {
    let texts = texts.get_or_insert_default();
    if let Some(text) = rest.strip_prefix("msg:") {
        texts.0.push(Text::Exactly(text.trim().to_owned()));
    } else if let Some(pattern) = rest.strip_prefix("regex:") {
        let pattern = Regex::new(pattern.trim()).map_err(|wrong| wrong.to_string())?;
        texts.0.push(Text::Matching(pattern));
    } else if !rest.is_empty() {
        return Err(format!("expected msg: or regex:, got {rest}"));
    }
    Ok(())
}
