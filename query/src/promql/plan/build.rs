//! Turns a tree into a plan.

mod call;

use store::read::{Aspect, TimeRange};

use super::duration::{QueryTimes, resolve, resolve_positive};
use super::invariant::is_invariant;
use super::{
    Aggregate, Grid, Load, Match, Moved, Parameter, Plan, Ranged, Root, Scalar, ScalarSide, Select,
    Vector, WithScalar,
};
use crate::promql::ast::{self, AggregateOp, At, Expr, Extension, Shift, Sign, ValueType};
use crate::promql::error::QueryError;
use crate::promql::functions::{Body, Constant};

/// What a plan depends on beside the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) grid: Grid,
    pub(crate) lookback_ms: i64,
    /// The step of subqueries that name none.
    pub(crate) default_step_ms: i64,
}

/// Resolves a query.
pub(crate) fn build(expr: &Expr, settings: Settings) -> Result<Plan, QueryError> {
    let grid = settings.grid;
    let mut builder = Builder {
        settings,
        times: QueryTimes {
            start_ms: grid.start_ms,
            end_ms: grid.end_ms(),
            step_ms: grid.step_ms,
        },
        loads: Vec::new(),
        aspect: Aspect::Value,
    };
    let span = Period {
        from_ms: grid.start_ms,
        to_ms: grid.end_ms(),
        repeats: grid.count > 1,
    };
    let root = match expr.value_type() {
        ValueType::Scalar => Root::Scalar(builder.scalar(expr, span)?),
        ValueType::Vector => Root::Vector(builder.vector(expr, span)?),
        ValueType::Matrix => Root::Ranged(builder.ranged(expr, span)?),
        ValueType::String => Root::Text(text_of(expr)),
    };
    Ok(Plan {
        root,
        loads: builder.loads,
    })
}

/// The times at which a part of the query is evaluated.
#[derive(Clone, Copy, Debug)]
struct Period {
    from_ms: i64,
    to_ms: i64,
    /// Whether there are several of them.
    repeats: bool,
}

struct Builder {
    settings: Settings,
    times: QueryTimes,
    loads: Vec<Load>,
    /// What the function around the next range makes of its samples.
    aspect: Aspect,
}

impl Builder {
    fn vector(&mut self, expr: &Expr, period: Period) -> Result<Vector, QueryError> {
        let expr = expr.unwrapped();
        if period.repeats && is_invariant(expr) {
            let once = Period {
                repeats: false,
                ..period
            };
            return Ok(Vector::Repeat(Box::new(self.varying(expr, once)?)));
        }
        self.varying(expr, period)
    }

    fn varying(&mut self, expr: &Expr, period: Period) -> Result<Vector, QueryError> {
        match expr {
            Expr::Selector(selector) => Ok(Vector::Select(self.instant(selector, period)?)),
            Expr::Unary(unary) => {
                let of = self.vector(&unary.expr, period)?;
                Ok(match unary.sign {
                    Sign::Plus => of,
                    Sign::Minus => Vector::Negate(Box::new(of)),
                })
            }
            Expr::Binary(binary) => self.binary(binary, period),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, period),
            Expr::Call(call) => self.call(call, period),
            Expr::Paren(paren) => self.varying(&paren.expr, period),
            Expr::Number(_) | Expr::String(_) | Expr::Matrix(_) | Expr::Subquery(_) => {
                Err(QueryError::Invalid("expected an instant vector".to_owned()))
            }
        }
    }

    fn scalar(&mut self, expr: &Expr, period: Period) -> Result<Scalar, QueryError> {
        match expr {
            Expr::Number(number) => Ok(Scalar::Number(number.value)),
            Expr::Paren(paren) => self.scalar(&paren.expr, period),
            Expr::Unary(unary) => {
                let of = self.scalar(&unary.expr, period)?;
                Ok(match unary.sign {
                    Sign::Plus => of,
                    Sign::Minus => Scalar::Negate(Box::new(of)),
                })
            }
            Expr::Binary(binary) => {
                let sides = self.two(&binary.left, &binary.right, period)?;
                Ok(Scalar::Binary(binary.op, sides))
            }
            Expr::Call(call) => self.scalar_call(call, period),
            _ => Err(QueryError::Invalid("expected a scalar".to_owned())),
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn scalar_call(&mut self, call: &ast::Call, period: Period) -> Result<Scalar, QueryError> {
        let seconds = |ms: i64| Scalar::Number(ms as f64 / 1000.0);
        let times = self.times;
        Ok(match (call.function.body, call.args.as_slice()) {
            (Body::Time, _) => Scalar::Time,
            (Body::Constant(Constant::Pi), _) => Scalar::Number(std::f64::consts::PI),
            (Body::Constant(Constant::Start), _) => seconds(times.start_ms),
            (Body::Constant(Constant::End), _) => seconds(times.end_ms),
            (Body::Constant(Constant::Step), _) => seconds(times.step_ms),
            (Body::Constant(Constant::Range), _) => seconds(times.end_ms - times.start_ms),
            (Body::LeastOf, [first, second]) => Scalar::Least(self.two(first, second, period)?),
            (Body::GreatestOf, [first, second]) => {
                Scalar::Greatest(self.two(first, second, period)?)
            }
            (Body::Scalar, [of]) => Scalar::OfVector(Box::new(self.vector(of, period)?)),
            _ => return Err(QueryError::Invalid("expected a scalar".to_owned())),
        })
    }

    fn two(
        &mut self,
        first: &Expr,
        second: &Expr,
        period: Period,
    ) -> Result<Box<(Scalar, Scalar)>, QueryError> {
        Ok(Box::new((
            self.scalar(first, period)?,
            self.scalar(second, period)?,
        )))
    }

    fn ranged(&mut self, expr: &Expr, period: Period) -> Result<Ranged, QueryError> {
        // What is within a subquery is not what its function sees.
        let aspect = std::mem::take(&mut self.aspect);
        match expr.unwrapped() {
            Expr::Matrix(matrix) => {
                let range_ms = resolve_positive(&matrix.range, self.times)?;
                let selector = &matrix.selector;
                let select = self.select(selector, period, range_ms, aspect)?;
                Ok(Ranged::Select { select, range_ms })
            }
            Expr::Subquery(subquery) => self.subquery(subquery, period),
            _ => Err(QueryError::Invalid("expected a range vector".to_owned())),
        }
    }

    fn subquery(&mut self, subquery: &ast::Subquery, period: Period) -> Result<Ranged, QueryError> {
        let range_ms = resolve_positive(&subquery.range, self.times)?;
        let step_ms = match &subquery.step {
            Some(step) => resolve_positive(step, self.times)?,
            None => self.settings.default_step_ms,
        };
        let moved = self.moved(&subquery.shift)?;
        let inner = Period {
            from_ms: moved.from(period.from_ms).saturating_sub(range_ms),
            to_ms: moved.from(period.to_ms),
            repeats: true,
        };
        let of = Box::new(self.vector(&subquery.expr, inner)?);
        Ok(Ranged::Subquery {
            of,
            range_ms,
            step_ms,
            moved,
        })
    }

    fn moved(&self, shift: &Shift) -> Result<Moved, QueryError> {
        let at_ms = shift.at.map(|at| match at {
            At::Time(at_ms) => at_ms,
            At::Start => self.times.start_ms,
            At::End => self.times.end_ms,
        });
        let mut offset_ms = 0;
        if let Some(offset) = &shift.offset {
            let ms = resolve(&offset.duration, self.times)?;
            offset_ms = if offset.negative { -ms } else { ms };
        }
        Ok(Moved { at_ms, offset_ms })
    }

    /// A selector that looks for the latest sample.
    fn instant(&mut self, selector: &ast::Selector, period: Period) -> Result<Select, QueryError> {
        if selector.extension == Extension::Anchored {
            let message = "anchored modifier can only be used with range selectors";
            return Err(QueryError::Invalid(message.to_owned()));
        }
        let is_moment = period.from_ms == period.to_ms;
        let aspect = match selector.extension {
            Extension::None if is_moment => Aspect::Newest,
            _ => Aspect::Value,
        };
        self.select(selector, period, self.settings.lookback_ms, aspect)
    }

    /// Notes what to load: all that the selection looks at over the period, and no more.
    fn select(
        &mut self,
        selector: &ast::Selector,
        period: Period,
        back_ms: i64,
        aspect: Aspect,
    ) -> Result<Select, QueryError> {
        let moved = self.moved(&selector.shift)?;
        let lookback_ms = self.settings.lookback_ms;
        let (more_back, forward) = match selector.extension {
            Extension::None => (0, 0),
            Extension::Anchored => (lookback_ms, 0),
            Extension::Smoothed => (lookback_ms, lookback_ms),
        };
        let range = TimeRange {
            // The start of a range is not part of it.
            from_ms: moved
                .from(period.from_ms)
                .saturating_sub(back_ms + more_back)
                .saturating_add(1),
            to_ms: moved.from(period.to_ms).saturating_add(forward),
        };
        let matchers = selector
            .matches
            .iter()
            .map(|known| known.matcher.clone())
            .collect();
        self.loads.push(Load {
            matchers,
            range,
            aspect,
        });
        Ok(Select {
            load: self.loads.len() - 1,
            moved,
            extension: selector.extension,
        })
    }

    fn binary(&mut self, binary: &ast::Binary, period: Period) -> Result<Vector, QueryError> {
        let is_scalar = |expr: &Expr| expr.value_type() == ValueType::Scalar;
        let (op, return_bool) = (binary.op, binary.return_bool);
        let (scalar, vector, side) = if is_scalar(&binary.left) {
            (&binary.left, &binary.right, ScalarSide::Left)
        } else if is_scalar(&binary.right) {
            (&binary.right, &binary.left, ScalarSide::Right)
        } else {
            return Ok(Vector::Match(Box::new(Match {
                op,
                return_bool,
                left: self.vector(&binary.left, period)?,
                right: self.vector(&binary.right, period)?,
                matching: binary.matching.clone(),
            })));
        };
        Ok(Vector::WithScalar(Box::new(WithScalar {
            op,
            return_bool,
            vector: self.vector(vector, period)?,
            scalar: self.scalar(scalar, period)?,
            side,
        })))
    }

    fn aggregate(
        &mut self,
        aggregate: &ast::Aggregate,
        period: Period,
    ) -> Result<Vector, QueryError> {
        let parameter = match &aggregate.parameter {
            None => Parameter::None,
            Some(label) if aggregate.op == AggregateOp::CountValues => {
                let label = text_of(label);
                if label.is_empty() {
                    return Err(QueryError::Execution("invalid label name \"\"".to_owned()));
                }
                Parameter::Label(label)
            }
            Some(scalar) => Parameter::Scalar(self.scalar(scalar, period)?),
        };
        let span = aggregate
            .parameter
            .as_ref()
            .map_or(aggregate.span, Expr::span);
        Ok(Vector::Aggregate(Box::new(Aggregate {
            op: aggregate.op,
            parameter,
            of: self.vector(&aggregate.expr, period)?,
            grouping: aggregate.grouping.clone(),
            span,
        })))
    }
}

/// The text of a string expression.
fn text_of(expr: &Expr) -> String {
    match expr.unwrapped() {
        Expr::String(text) => text.value.clone(),
        _ => String::new(),
    }
}
