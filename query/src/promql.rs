//! The query language of Prometheus 3.
//!
//! A text is parsed ([`parse`]), resolved against the times it is asked for ([`Query::prepare`]), its
//! series are loaded ([`Prepared::load`], the only step that waits), and then it is evaluated
//! ([`Loaded::evaluate`], which only computes and belongs on a thread of its own). [`instant`] and
//! [`range`] do all of it.
//!
//! What this leaves to others: who may ask, how long and how many at once, and how answers are
//! written down.

mod answer;
pub mod ast;
mod error;
mod eval;
pub(crate) mod functions;
mod interrupt;
mod labels;
mod lexer;
mod limit;
mod parser;
mod pattern;
mod plan;
mod print;
mod tally;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use store::read::{Read, Series};

use eval::{Evaluator, Level, Notes};
use limit::Budget;
use plan::{Grid, Plan, Settings};
use tally::Tally;

pub use answer::{Answer, Cost, LabelledValue, Looked, Unsorted, Value};
pub use ast::{Expr, LabelMatch, MatchOp, Selector, ValueType};
pub use error::{ParseError, QueryError};
pub use functions::{Arity, FUNCTIONS, Function};
pub use interrupt::Interrupt;
pub use limit::Limit;
pub use parser::{duration_ms, parse, parse_selector};
pub use pattern::translate as translate_pattern;
pub use print::{duration, go_float, pretty, quote};
pub use tally::Detail;

pub(crate) use eval::is_absent;
pub(crate) use labels::text as label_text;
pub use lexer::unquote;
pub(crate) use plan::may_vary;

/// How queries are evaluated.
#[derive(Clone, Debug)]
pub struct Options {
    /// How old a sample may be to count as the present value. Default 5 minutes.
    pub lookback: Duration,
    /// The step of subqueries that name none. Default 1 minute.
    pub default_step: Duration,
    /// How many samples a query may load, and as many values it may hold. Default 50 million.
    pub max_samples: usize,
    /// How many series a query may load. Default 1 million.
    pub max_series: usize,
    /// How many bytes the loaded samples and the held values may take together. Default 1 GiB.
    pub max_memory: usize,
    /// How much is counted of what a query looks at. Default nothing.
    pub detail: Detail,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lookback: Duration::from_secs(300),
            default_step: Duration::from_secs(60),
            max_samples: 50_000_000,
            max_series: 1_000_000,
            max_memory: 1 << 30,
            detail: Detail::None,
        }
    }
}

/// For which times a query is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// One time, in milliseconds since 1970.
    At(i64),
    /// From a time to another, both in milliseconds since 1970, one each step.
    Range {
        /// The first.
        start_ms: i64,
        /// No later than this.
        end_ms: i64,
        /// From one to the next.
        step: Duration,
    },
}

/// A query that was parsed.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    expr: Expr,
}

impl Query {
    /// Parses a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let expr = parse(text).map_err(|wrong| QueryError::Parse(wrong.describe(text)))?;
        Ok(Self {
            text: text.to_owned(),
            expr,
        })
    }

    /// What it says.
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Resolves it against the times it is asked for.
    pub fn prepare(&self, when: When, options: &Options) -> Result<Prepared, QueryError> {
        let grid = self.grid(when)?;
        if grid.count > options.max_samples {
            return Err(QueryError::Limit(Limit::Samples(options.max_samples)));
        }
        let settings = Settings {
            grid,
            lookback_ms: ms(options.lookback),
            default_step_ms: ms(options.default_step).max(1),
        };
        Ok(Prepared {
            text: self.text.clone(),
            plan: plan::build(&self.expr, settings)?,
            settings,
            options: options.clone(),
            is_range: matches!(when, When::Range { .. }),
            notes: self.notes(when),
        })
    }

    fn grid(&self, when: When) -> Result<Grid, QueryError> {
        // Times and durations of up to a tenth of what 64 bits hold can be added without overflow.
        const BOUND: i64 = 900_000_000_000_000_000;
        match when {
            When::At(at_ms) if at_ms.abs() > BOUND => Err(out_of_bounds()),
            When::At(at_ms) => Ok(Grid::one(at_ms)),
            When::Range {
                start_ms, end_ms, ..
            } if start_ms.abs().max(end_ms.abs()) > BOUND => Err(out_of_bounds()),
            When::Range {
                start_ms,
                end_ms,
                step,
            } => {
                let kind = self.expr.value_type();
                if !matches!(kind, ValueType::Scalar | ValueType::Vector) {
                    let kind = kind.documented();
                    let message = format!(
                        "invalid expression type {kind:?} for range query, must be Scalar or instant Vector"
                    );
                    return Err(QueryError::Invalid(message));
                }
                Ok(Grid::between(start_ms, end_ms, ms(step)))
            }
        }
    }

    /// What the text alone shows.
    fn notes(&self, when: When) -> Notes {
        let mut notes = Notes::default();
        let mut open = vec![&self.expr];
        while let Some(expr) = open.pop() {
            open.extend(expr.children());
            let Expr::Call(call) = expr else {
                continue;
            };
            let sorts = matches!(call.function.body, functions::Body::Sort(_));
            if sorts && matches!(when, When::Range { .. }) {
                let message = "sort is ineffective for range queries since results are always ordered by labels";
                notes.warn(call.span, message);
            }
        }
        notes
    }
}

/// A query that knows what it needs.
#[derive(Debug)]
pub struct Prepared {
    text: String,
    plan: Plan,
    settings: Settings,
    options: Options,
    is_range: bool,
    notes: Notes,
}

impl Prepared {
    /// Loads its series.
    pub async fn load<R: Read>(self, store: &R) -> Result<Loaded, QueryError> {
        let Options {
            max_samples,
            max_series,
            max_memory,
            ..
        } = self.options;
        let budget = Budget::new(max_samples, max_series, max_memory);
        let mut samples = 0;
        let mut loads: Vec<Arc<Vec<Series>>> = Vec::with_capacity(self.plan.loads.len());
        for (place, load) in self.plan.loads.iter().enumerate() {
            if let Some(same) = self.plan.loads[..place]
                .iter()
                .position(|known| known.is_same(load))
            {
                loads.push(Arc::clone(&loads[same]));
                continue;
            }
            if load.range.from_ms > load.range.to_ms {
                loads.push(Arc::default());
                continue;
            }
            let left = budget.samples_left();
            let found = store.select_aspect(&load.matchers, load.range, load.aspect, left);
            let found = found.await;
            let series = found.map_err(|wrong| match wrong {
                store::read::ReadError::TooManySamples { .. } => budget.exceeded(),
                #[allow(unreachable_patterns)]
                other => QueryError::Read(other),
            })?;
            samples += budget.read(&series)?;
            loads.push(Arc::new(series));
        }
        Ok(Loaded {
            prepared: self,
            budget,
            loads,
            samples,
        })
    }
}

/// A query with its series.
#[derive(Debug)]
pub struct Loaded {
    prepared: Prepared,
    budget: Budget,
    loads: Vec<Arc<Vec<Series>>>,
    samples: usize,
}

impl Loaded {
    /// Evaluates it. It only computes, for as long as it takes or until it is interrupted.
    pub fn evaluate(self, interrupt: &Interrupt) -> Result<Unsorted, QueryError> {
        let Prepared {
            text,
            plan,
            settings,
            options,
            is_range,
            notes,
        } = self.prepared;
        let evaluator = Evaluator {
            loads: &self.loads,
            lookback_ms: settings.lookback_ms,
            interrupt,
            budget: self.budget.for_evaluation(),
            notes: RefCell::new(notes),
            tally: Tally::new(options.detail, settings.grid.count),
            is_range,
        };
        let value = evaluator.root(&plan.root, settings.grid)?;
        let keeps_order = evaluator.keeps_order(&plan.root);
        let cost = Cost {
            read: self.samples,
            peak: self.samples + evaluator.budget.held(),
            looked: evaluator.tally.into_looked(),
        };
        let notes = evaluator.notes.into_inner();
        let answer = Answer {
            value,
            warnings: notes.texts(Level::Warning, &text),
            infos: notes.texts(Level::Info, &text),
            cost,
        };
        Ok(Unsorted {
            answer,
            keeps_order,
        })
    }
}

/// The value of a query at one time.
pub async fn instant<R: Read>(
    store: &R,
    text: &str,
    at_ms: i64,
    options: &Options,
) -> Result<Answer, QueryError> {
    evaluate(store, text, When::At(at_ms), options).await
}

/// The values of a query at each step of a range.
pub async fn evaluate<R: Read>(
    store: &R,
    text: &str,
    when: When,
    options: &Options,
) -> Result<Answer, QueryError> {
    let prepared = Query::parse(text)?.prepare(when, options)?;
    let evaluated = prepared
        .load(store)
        .await?
        .evaluate(&Interrupt::default())?;
    Ok(evaluated.sort())
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn out_of_bounds() -> QueryError {
    QueryError::Invalid("the time is out of bounds".to_owned())
}
