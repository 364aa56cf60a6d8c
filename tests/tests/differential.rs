//! Prometheus and the collector, given the same samples, answer several hundred expressions alike.

use std::time::{SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use tests::differential::both::{Both, When};
use tests::differential::compare::{Order, difference};
use tests::differential::grammar::Grammar;
use tests::differential::meant::{self, Meant};
use tests::differential::samples;
use tests::lab::folder::Folder;

const EXPRESSIONS: &str = include_str!("../differential/expressions.promql");
const DIFFERENCES: &str = include_str!("../differential/differences.toml");

/// Another seed asks other questions; a failure prints the question itself.
const SEED: u64 = 20_261_121;

/// How many expressions are made up.
const MADE_UP: usize = 300;

/// Questions under way at once, as a dashboard asks them.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn both_answer_alike() {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let until = i64::try_from(now / 60 * 60).unwrap();
    let series = samples::made_up(until * 1_000, SEED);
    let folder = Folder::new().unwrap();
    let both = Both::start(&folder, &series).await.unwrap();
    let meant = meant::parse(DIFFERENCES).unwrap();
    // Seven seconds past a step of every subquery, so that none begins on its edge.
    let at = until - 300 + 7;
    let whens = [
        When::At(at),
        When::At(at - 1_800),
        When::Range(at - 2_700, at, 90),
    ];

    let listed = EXPRESSIONS.lines().map(str::trim);
    let listed = listed.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut expressions: Vec<String> = listed.map(str::to_owned).collect();
    let mut grammar = Grammar::new(&series, SEED);
    expressions.extend((0..MADE_UP).map(|_| grammar.expression()));

    let (about, passed_over): (Vec<_>, Vec<_>) = expressions
        .iter()
        .partition(|expression| !concerns(&meant, expression));
    let questions = about
        .iter()
        .flat_map(|expression| whens.map(|when| (*expression, when)));
    let ask = async |(expression, when): (&String, When)| {
        let (ours, theirs) = both.ask(expression, when).await.unwrap();
        let found = difference(&ours, &theirs, order(expression, when))?;
        Some(format!("{expression}\n    {when:?}: {found}"))
    };
    let answers = futures::stream::iter(questions).map(ask).buffered(AT_ONCE);
    let answers: Vec<Option<String>> = answers.collect().await;
    let compared = answers.len();
    let mut wrong: Vec<String> = answers.into_iter().flatten().collect();
    for known in &meant {
        let mut differs = false;
        for when in whens {
            let (ours, theirs) = both.ask(&known.example, when).await.unwrap();
            differs |= difference(&ours, &theirs, Order::Any).is_some();
        }
        if !differs {
            wrong.push(format!("{:?} makes no difference any more", known.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared} answers differ ({} expressions passed over):\n{}",
        wrong.len(),
        passed_over.len(),
        wrong.join("\n")
    );
    assert!(compared > 1_000, "{compared}");
    both.stop().await.unwrap();
}

fn concerns(meant: &[Meant], expression: &str) -> bool {
    let mut patterns = meant.iter().filter_map(|known| known.concerns.as_ref());
    patterns.any(|pattern| pattern.is_match(expression))
}

fn order(expression: &str, when: When) -> Order {
    let sorts = ["sort(", "sort_desc("];
    match when {
        When::At(_) if sorts.iter().any(|sort| expression.starts_with(sort)) => Order::Asked,
        When::At(_) => Order::Any,
        When::Range(..) => Order::Asked,
    }
}
