//! Types: what may stand where.

use super::selector::check_not_empty;
use crate::promql::ast::{
    AggregateOp, Binary, BinaryOp, Call, Cardinality, Expr, Matching, Selector, Shift, Span,
    ValueType,
};
use crate::promql::error::ParseError;
use crate::promql::functions::{Arity, Body};

/// Two expressions with an operator, if they may have it.
pub(super) fn binary(
    op: BinaryOp,
    left: Expr,
    right: Expr,
    (mut matching, return_bool): (Matching, bool),
) -> Result<Expr, ParseError> {
    let span = left.span().to(right.span());
    if return_bool && !op.is_comparison() {
        let message = "bool modifier can only be used on comparison operators";
        return Err(ParseError::new(span, message));
    }
    for side in [&left, &right] {
        if !matches!(side.value_type(), ValueType::Scalar | ValueType::Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err(ParseError::new(side.span(), message));
        }
    }
    let types = [left.value_type(), right.value_type()];
    if types == [ValueType::Scalar; 2] && op.is_comparison() && !return_bool {
        let message = "comparisons between scalars must use BOOL modifier";
        return Err(ParseError::new(span, message));
    }
    matching_fits(op, &matching, types == [ValueType::Vector; 2])
        .map_err(|message| ParseError::new(span, message))?;
    if op.is_set() {
        matching.cardinality = Cardinality::ManyToMany;
    }
    Ok(Expr::Binary(Box::new(Binary {
        op,
        left,
        right,
        matching,
        return_bool,
    })))
}

fn matching_fits(op: BinaryOp, matching: &Matching, vectors: bool) -> Result<(), String> {
    let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
    if op.is_set() {
        let op = op.text();
        if !vectors {
            return Err(format!(
                "set operator {op:?} not allowed in binary scalar expression"
            ));
        }
        if matching.cardinality != Cardinality::OneToOne {
            return Err(format!("no grouping allowed for {op:?} operation"));
        }
        if fills {
            return Err("filling in missing series not allowed for set operators".to_owned());
        }
    }
    if !vectors && !matching.labels.is_empty() {
        return Err("vector matching only allowed between instant vectors".to_owned());
    }
    if !vectors && fills {
        return Err("filling in missing series only allowed between instant vectors".to_owned());
    }
    let both = matching
        .labels
        .iter()
        .find(|label| matching.include.contains(label));
    match both {
        Some(both) if matching.on => Err(format!(
            "label {both:?} must not occur in ON and GROUP clause at once"
        )),
        _ => Ok(()),
    }
}

/// What a sign may stand before.
pub(super) fn unary(expr: &Expr) -> Result<(), ParseError> {
    let got = expr.value_type();
    if matches!(got, ValueType::Scalar | ValueType::Vector) {
        return Ok(());
    }
    let message = format!(
        "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
        got.documented()
    );
    Err(ParseError::new(expr.span(), message))
}

/// The number and types of a function's arguments.
pub(super) fn call(call: &Call) -> Result<(), ParseError> {
    let function = call.function;
    let given = call.args.len();
    let types = function.args.len();
    let (least, most) = match function.arity {
        Arity::Exact => (types, types),
        Arity::LastOptional => (types - 1, types),
        Arity::LastRepeated(times) => (types, types - 1 + times),
        Arity::Unbounded => (types - 1, usize::MAX),
    };
    let name = function.name;
    let message = if least == most && given != least {
        format!("expected {least} argument(s) in call to {name:?}, got {given}")
    } else if given < least {
        format!("expected at least {least} argument(s) in call to {name:?}, got {given}")
    } else if given > most {
        format!("expected at most {most} argument(s) in call to {name:?}, got {given}")
    } else {
        return argument_types(call);
    };
    Err(ParseError::new(call.span, message))
}

fn argument_types(call: &Call) -> Result<(), ParseError> {
    let types = call.function.args;
    let context = format!("call to function {:?}", call.function.name);
    for (place, arg) in call.args.iter().enumerate() {
        let is_info_selector = matches!(call.function.body, Body::Info) && place == 1;
        if !is_info_selector {
            expect(arg, types[place.min(types.len() - 1)], &context)?;
            continue;
        }
        // It is never read as a vector: it says which labels to take over.
        let Expr::Selector(selector) = arg else {
            let message = "expected label selectors as second argument to \"info\" function";
            return Err(ParseError::new(arg.span(), message));
        };
        if !selector.name.is_empty() {
            let message = "expected label selectors only, got vector selector instead";
            return Err(ParseError::new(arg.span(), message));
        }
    }
    Ok(())
}

/// The parameter and the vector of an aggregation.
pub(super) fn aggregate_arguments(
    op: AggregateOp,
    args: Vec<Expr>,
    span: Span,
) -> Result<(Option<Expr>, Expr), ParseError> {
    let given = args.len();
    let wanted = 1 + usize::from(op.parameter().is_some());
    if given == 0 {
        let message = "no arguments for aggregate expression provided";
        return Err(ParseError::new(span, message));
    }
    let mut args = args.into_iter();
    let (parameter, expr) = match (wanted == 2, args.next(), args.next(), args.next()) {
        (true, Some(parameter), Some(expr), None) => (Some(parameter), expr),
        (false, Some(expr), None, None) => (None, expr),
        _ => {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {given}"
            );
            return Err(ParseError::new(span, message));
        }
    };
    expect(&expr, ValueType::Vector, "aggregation expression")?;
    if let (Some(parameter), Some(wanted)) = (&parameter, op.parameter()) {
        expect(parameter, wanted, "aggregation parameter")?;
    }
    Ok((parameter, expr))
}

/// The selector of a range.
pub(super) fn ranged(expr: Expr, range: Span) -> Result<Selector, ParseError> {
    let message = match expr {
        Expr::Selector(selector) if selector.shift.offset.is_some() => {
            "no offset modifiers allowed before range"
        }
        Expr::Selector(selector) if selector.shift.at.is_some() => {
            "no @ modifiers allowed before range"
        }
        Expr::Selector(selector) => return Ok(*selector),
        _ => "ranges only allowed for vector selectors",
    };
    Err(ParseError::new(range, message))
}

/// The modifiers of an expression that may have them, and where it ends.
pub(super) fn shift_of(expr: &mut Expr) -> Option<(&mut Shift, &mut Span)> {
    match expr {
        Expr::Selector(selector) => Some((&mut selector.shift, &mut selector.span)),
        Expr::Matrix(matrix) => Some((&mut matrix.selector.shift, &mut matrix.span)),
        Expr::Subquery(subquery) => Some((&mut subquery.shift, &mut subquery.span)),
        _ => None,
    }
}

/// What only the whole tree shows: how deep it is, for chains of operators nest without recursion in
/// the parser, and that no selector selects everything, which only `info` may ask for.
pub(super) fn tree(expr: &Expr, max_depth: usize) -> Result<(), ParseError> {
    let mut open = vec![(expr, 1)];
    while let Some((expr, depth)) = open.pop() {
        if depth > max_depth {
            return Err(super::too_deep(expr.span()));
        }
        match expr {
            Expr::Selector(selector) => check_not_empty(selector)?,
            Expr::Matrix(matrix) => check_not_empty(&matrix.selector)?,
            _ => {}
        }
        let mut children = expr.children();
        if let Expr::Call(call) = expr
            && matches!(call.function.body, Body::Info)
        {
            children.truncate(1);
        }
        open.extend(children.into_iter().map(|child| (child, depth + 1)));
    }
    Ok(())
}

fn expect(expr: &Expr, wanted: ValueType, context: &str) -> Result<(), ParseError> {
    let got = expr.value_type();
    if got == wanted {
        return Ok(());
    }
    let (wanted, got) = (wanted.documented(), got.documented());
    let message = format!("expected type {wanted} in {context}, got {got}");
    Err(ParseError::new(expr.span(), message))
}
