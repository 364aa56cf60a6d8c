//! Calls of functions that give vectors.

use store::labels::METRIC_NAME;
use store::matcher::Matcher;
use store::read::{Aspect, TimeRange};

use super::{Builder, Period, text_of};
use crate::promql::ast::{Call, Expr, Extension, LabelMatch, MatchOp, Span};
use crate::promql::error::QueryError;
use crate::promql::functions::Body;
use crate::promql::functions::window::WindowFunction;
use crate::promql::pattern::translate;
use crate::promql::plan::{
    BucketFraction, BucketQuantile, Info, Load, Moved, Ranged, Relabel, Scalar, Select, Vector,
    Windowed,
};

impl Builder {
    pub(super) fn call(&mut self, call: &Call, period: Period) -> Result<Vector, QueryError> {
        match (call.function.body, call.args.as_slice()) {
            (Body::Map(map), [of]) => Ok(Vector::Map(map, self.boxed(of, period)?)),
            (Body::Date(map), []) => {
                let now = Vector::OfScalar(Box::new(Scalar::Time));
                Ok(Vector::Map(map, Box::new(now)))
            }
            (Body::Date(map), [of]) => Ok(Vector::Map(map, self.boxed(of, period)?)),
            (Body::MapWith(map), [of, params @ ..]) => {
                let of = self.boxed(of, period)?;
                Ok(Vector::MapWith(map, of, self.scalars(params, period)?))
            }
            (Body::Vector, [of]) => Ok(Vector::OfScalar(Box::new(self.scalar(of, period)?))),
            (Body::Timestamp, [of]) => match of.unwrapped() {
                Expr::Selector(selector) => {
                    Ok(Vector::SampleTimes(self.instant(selector, period)?))
                }
                _ => Ok(Vector::Times(self.boxed(of, period)?)),
            },
            (Body::Window(function), _) => self.window(call, function, period),
            (Body::Absent, [of]) => Ok(Vector::Absent(
                self.boxed(of, period)?,
                labels_of_absent(of),
            )),
            (Body::AbsentOverTime, [of]) => Ok(Vector::AbsentOverTime(
                self.ranged(of, period)?,
                labels_of_absent(of),
            )),
            (Body::Sort(order), [of, labels @ ..]) => {
                let labels = labels.iter().map(text_of).collect();
                Ok(Vector::Sort(order, self.boxed(of, period)?, labels))
            }
            (Body::LabelReplace | Body::LabelJoin, [of, texts @ ..]) => {
                let texts: Vec<String> = texts.iter().map(text_of).collect();
                let relabel = match call.function.body {
                    Body::LabelReplace => label_replace(&texts)?,
                    _ => label_join(&texts)?,
                };
                Ok(Vector::Relabel(self.boxed(of, period)?, relabel))
            }
            (Body::NativeHistogram, [of]) => Ok(Vector::Nothing(self.boxed(of, period)?)),
            (Body::Info, [of, labels @ ..]) => self.info(of, labels.first(), period),
            _ => self.histogram_call(call, period),
        }
    }

    fn histogram_call(&mut self, call: &Call, period: Period) -> Result<Vector, QueryError> {
        match (call.function.body, call.args.as_slice()) {
            (Body::HistogramQuantile, [share, of]) => {
                let shares = vec![(self.scalar(share, period)?, share.span())];
                self.quantiles(of, None, shares, period)
            }
            (Body::HistogramQuantiles, [of, label, shares @ ..]) => {
                let shares = shares
                    .iter()
                    .map(|share| Ok((self.scalar(share, period)?, share.span())))
                    .collect::<Result<_, QueryError>>()?;
                self.quantiles(of, Some(text_of(label)), shares, period)
            }
            (Body::HistogramFraction, [low, high, of]) => {
                Ok(Vector::Fraction(Box::new(BucketFraction {
                    low: self.scalar(low, period)?,
                    high: self.scalar(high, period)?,
                    of: self.vector(of, period)?,
                    span: of.span(),
                })))
            }
            _ => {
                let message = format!("cannot evaluate function {:?} here", call.function.name);
                Err(QueryError::Invalid(message))
            }
        }
    }

    fn quantiles(
        &mut self,
        of: &Expr,
        label: Option<String>,
        shares: Vec<(Scalar, Span)>,
        period: Period,
    ) -> Result<Vector, QueryError> {
        Ok(Vector::Quantile(Box::new(BucketQuantile {
            of: self.vector(of, period)?,
            shares,
            label,
            span: of.span(),
        })))
    }

    fn boxed(&mut self, expr: &Expr, period: Period) -> Result<Box<Vector>, QueryError> {
        self.vector(expr, period).map(Box::new)
    }

    fn scalars(&mut self, exprs: &[Expr], period: Period) -> Result<Vec<Scalar>, QueryError> {
        exprs.iter().map(|expr| self.scalar(expr, period)).collect()
    }

    fn window(
        &mut self,
        call: &Call,
        function: WindowFunction,
        period: Period,
    ) -> Result<Vector, QueryError> {
        let is_range =
            |expr: &Expr| matches!(expr.unwrapped(), Expr::Matrix(_) | Expr::Subquery(_));
        let mut of = None;
        let mut params = Vec::new();
        let mut span = call.span;
        let mut param_span = call.span;
        for arg in &call.args {
            if is_range(arg) {
                self.aspect = call.function.aspect();
                of = Some(self.ranged(arg, period)?);
                span = arg.span();
            } else {
                params.push(self.scalar(arg, period)?);
                param_span = arg.span();
            }
        }
        let of = of.ok_or_else(|| QueryError::Invalid("expected a range vector".to_owned()))?;
        check_extension(&of, call.function.name)?;
        Ok(Vector::Window(Box::new(Windowed {
            name: call.function.name,
            function,
            of,
            params,
            span,
            param_span,
        })))
    }

    /// Info series are looked for over the same times as what they are joined to.
    fn info(
        &mut self,
        of: &Expr,
        labels: Option<&Expr>,
        period: Period,
    ) -> Result<Vector, QueryError> {
        let matches: &[LabelMatch] = match labels {
            Some(Expr::Selector(selector)) => &selector.matches,
            _ => &[],
        };
        let matchers = |on_name: bool| -> Vec<Matcher> {
            matches
                .iter()
                .filter(|known| (known.name == METRIC_NAME) == on_name)
                .map(|known| known.matcher.clone())
                .collect()
        };
        let (mut names, labels) = (matchers(true), matchers(false));
        if names.is_empty() {
            names.push(Matcher::equal(METRIC_NAME, "target_info"));
        }
        let vector = self.vector(of, period)?;
        let infos = self.info_series(of, &names, period)?;
        Ok(Vector::Info(Box::new(Info {
            of: vector,
            infos,
            labels,
            names,
        })))
    }

    /// What to load of info series: all of their names. Conditions on their labels are left to the
    /// evaluation.
    fn info_series(
        &mut self,
        of: &Expr,
        names: &[Matcher],
        period: Period,
    ) -> Result<Select, QueryError> {
        let moved = match of.unwrapped() {
            Expr::Selector(selector) => self.moved(&selector.shift)?,
            _ => Moved::default(),
        };
        let from_ms = moved.from(period.from_ms);
        self.loads.push(Load {
            matchers: names.to_vec(),
            range: TimeRange {
                from_ms: from_ms.saturating_sub(self.settings.lookback_ms),
                to_ms: moved.from(period.to_ms),
            },
            aspect: Aspect::Value,
        });
        Ok(Select {
            load: self.loads.len() - 1,
            moved,
            extension: Extension::None,
        })
    }
}

/// Only functions that look at borders alone make sense of ranges that are extended.
fn check_extension(of: &Ranged, name: &str) -> Result<(), QueryError> {
    let Ranged::Select { select, .. } = of else {
        return Ok(());
    };
    let (word, fit): (_, &[&str]) = match select.extension {
        Extension::None => return Ok(()),
        Extension::Anchored => (
            "anchored",
            &["changes", "delta", "increase", "rate", "resets"],
        ),
        Extension::Smoothed => ("smoothed", &["delta", "increase", "rate"]),
    };
    if fit.contains(&name) {
        return Ok(());
    }
    let list = fit.join(", ");
    let message = format!("{word} modifier can only be used with: {list} - not with {name}");
    Err(QueryError::Invalid(message))
}

/// The labels that a series would have if it were there: those that must have one value.
fn labels_of_absent(of: &Expr) -> Vec<(String, String)> {
    let matches = match of {
        Expr::Selector(selector) => &selector.matches,
        Expr::Matrix(matrix) => &matrix.selector.matches,
        _ => return Vec::new(),
    };
    let mut labels: Vec<(String, String)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for known in matches.iter().filter(|known| known.name != METRIC_NAME) {
        let first = known.op == MatchOp::Equal && !seen.contains(&known.name.as_str());
        if first {
            seen.push(&known.name);
            labels.push((known.name.clone(), known.value.clone()));
        } else {
            labels.retain(|(name, _)| *name != known.name);
        }
    }
    labels
}

fn label_replace(texts: &[String]) -> Result<Relabel, QueryError> {
    let [target, template, source, pattern] = texts else {
        return Err(QueryError::Invalid(
            "label_replace needs four texts".to_owned(),
        ));
    };
    // Alone first: `a)|(b` would otherwise pass for a pattern once it stands in the group.
    let inner = translate(pattern);
    let alone = regex::Regex::new(&inner);
    let whole = alone.and_then(|_| regex::Regex::new(&format!("^(?s:{inner})$")));
    let whole = whole.map_err(|_| {
        QueryError::Execution(format!(
            "invalid regular expression in label_replace(): {pattern}"
        ))
    })?;
    check_label("destination", "label_replace", target)?;
    Ok(Relabel::Replace {
        target: target.clone(),
        template: template.clone(),
        source: source.clone(),
        pattern: whole,
    })
}

fn label_join(texts: &[String]) -> Result<Relabel, QueryError> {
    let [target, separator, sources @ ..] = texts else {
        return Err(QueryError::Invalid("label_join needs two texts".to_owned()));
    };
    for source in sources {
        check_label("source", "label_join", source)?;
    }
    check_label("destination", "label_join", target)?;
    Ok(Relabel::Join {
        target: target.clone(),
        separator: separator.clone(),
        sources: sources.to_vec(),
    })
}

fn check_label(role: &str, function: &str, name: &str) -> Result<(), QueryError> {
    if name.is_empty() {
        let message = format!("invalid {role} label name in {function}(): {name}");
        return Err(QueryError::Execution(message));
    }
    Ok(())
}
