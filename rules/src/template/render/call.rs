//! Fields, methods and functions.

use super::super::builtin::{self, Builtin};
use super::super::error::Fault;
use super::super::tree::{Operand, Span, Term};
use super::super::value::{Content, Value};
use super::super::{Kind, MAX_TEXT, Surroundings, time};
use super::Walk;

impl<E: ?Sized> Walk<'_, E> {
    /// A chain of fields, the last of which may be a method that takes arguments.
    pub(super) fn fields(
        &mut self,
        operand: &Operand,
        arguments: &[Value],
        dot: &Value,
    ) -> Result<Value, Fault> {
        let (mut value, names) = match &operand.term {
            Term::Field(names) => (dot.clone(), names),
            Term::Variable(name, names) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = known.map_or(Value::Nil, |(_, value)| value.clone());
                (value, names)
            }
            Term::Chain(inner, names) => (self.operand(inner, dot)?, names),
            _ => return Ok(Value::Nil),
        };
        if names.is_empty() && !arguments.is_empty() {
            return Err(Fault::new(
                operand.span,
                "can't give argument to non-function",
            ));
        }
        for (place, name) in names.iter().enumerate() {
            let is_last = place + 1 == names.len();
            let arguments = if is_last { arguments } else { &[] };
            value = field(&value, name, arguments)
                .map_err(|message| Fault::new(operand.span, message))?;
        }
        Ok(value)
    }

    pub(super) fn function(
        &mut self,
        name: &str,
        span: Span,
        (operands, last): (&[Operand], Option<Value>),
        dot: &Value,
    ) -> Result<Value, Fault> {
        if let Some(builtin) = builtin::find(name) {
            return match builtin {
                Builtin::And => self.until(false, span, (operands, last), dot),
                Builtin::Or => self.until(true, span, (operands, last), dot),
                Builtin::Render => self.rendered(span, (operands, last), dot),
                Builtin::Plain(body) => {
                    let mut arguments = self.operands(operands, dot)?;
                    arguments.extend(last);
                    self.finish(name, span, body(&arguments))
                }
            };
        }
        let Surroundings {
            functions,
            environment,
        } = self.surroundings;
        let Some(function) = functions.iter().find(|known| known.name == name) else {
            return Err(Fault::new(
                span,
                format!("{name:?} is not a defined function"),
            ));
        };
        let mut arguments = self.operands(operands, dot)?;
        arguments.extend(last);
        check_arguments(name, (function.takes, function.rest), &arguments)
            .map_err(|message| Fault::new(span, message))?;
        let result = (function.body)(environment, &arguments);
        self.finish(name, span, result)
    }

    fn finish(
        &self,
        name: &str,
        span: Span,
        result: Result<Value, String>,
    ) -> Result<Value, Fault> {
        let too_long = matches!(&result, Ok(Value::Text(text)) if text.len() > MAX_TEXT);
        let result = if too_long {
            Err(format!("more than {MAX_TEXT} bytes of text"))
        } else {
            result
        };
        result.map_err(|wrong| Fault::new(span, format!("error calling {name}: {wrong}")))
    }

    /// `and` and `or`: the first argument that decides, or the last; those after it are not evaluated.
    fn until(
        &mut self,
        decides: bool,
        span: Span,
        (operands, last): (&[Operand], Option<Value>),
        dot: &Value,
    ) -> Result<Value, Fault> {
        let mut value = None;
        for operand in operands {
            let found = self.operand(operand, dot)?;
            if found.is_true() == decides {
                return Ok(found);
            }
            value = Some(found);
        }
        let name = if decides { "or" } else { "and" };
        let missing = || {
            Fault::new(
                span,
                format!("wrong number of args for {name}: want at least 1 got 0"),
            )
        };
        last.or(value).ok_or_else(missing)
    }

    /// `tmpl`: what a template writes whose name is not fixed.
    fn rendered(
        &mut self,
        span: Span,
        (operands, last): (&[Operand], Option<Value>),
        dot: &Value,
    ) -> Result<Value, Fault> {
        let mut arguments = self.operands(operands, dot)?;
        arguments.extend(last);
        let [Value::Text(name), data] = arguments.as_slice() else {
            let message = "tmpl takes the name of a template and a value";
            return Err(Fault::new(span, message));
        };
        let outer = std::mem::take(&mut self.out);
        let done = self.template(name, data, span);
        let text = std::mem::replace(&mut self.out, outer);
        done.map(|()| Value::from(text))
    }
}

/// A field, a key or what a method gives.
fn field(value: &Value, name: &str, arguments: &[Value]) -> Result<Value, String> {
    if let Value::Object(object) = value {
        if let Some(result) = object.method(name, arguments) {
            return result.map_err(|wrong| format!("error calling {name}: {wrong}"));
        }
        if let Content::Fields(fields) = object.content() {
            let found = fields.into_iter().find(|(known, _)| *known == name);
            return match found {
                Some(_) if !arguments.is_empty() => has_arguments(name),
                Some((_, value)) => Ok(value),
                None => Err(cannot(name, value)),
            };
        }
    }
    match value.plain() {
        _ if !arguments.is_empty() => has_arguments(name),
        Value::Nil => Ok(Value::Nil),
        // What is missing is as if it were empty: Prometheus and Alertmanager both say so.
        Value::Map(map) => {
            let found = map.entries().get(name).cloned();
            Ok(found.unwrap_or_else(|| map.zero()))
        }
        _ => time::method(value, name).unwrap_or_else(|| Err(cannot(name, value))),
    }
}

fn has_arguments(name: &str) -> Result<Value, String> {
    Err(format!(
        "{name} has arguments but cannot be invoked as function"
    ))
}

fn cannot(name: &str, value: &Value) -> String {
    let type_name = value.type_name();
    format!("can't evaluate field {name} in type {type_name}")
}

fn check_arguments(
    name: &str,
    (takes, rest): (&[Kind], Option<Kind>),
    arguments: &[Value],
) -> Result<(), String> {
    let (want, got) = (takes.len(), arguments.len());
    if got < want && rest.is_some() {
        return Err(format!(
            "wrong number of args for {name}: want at least {want} got {got}"
        ));
    }
    if got != want && rest.is_none() {
        return Err(format!(
            "wrong number of args for {name}: want {want} got {got}"
        ));
    }
    for (place, argument) in arguments.iter().enumerate() {
        let Some(kind) = takes.get(place).copied().or(rest) else {
            continue;
        };
        let (fits, wanted) = match kind {
            Kind::Any => (true, ""),
            Kind::Text => (matches!(argument, Value::Text(_)), "string"),
            Kind::Int => (matches!(argument, Value::Int(_)), "int"),
            Kind::List => (matches!(argument.plain(), Value::List(_)), "list"),
            Kind::Object(wanted) => (argument.type_name() == wanted, wanted),
        };
        if fits {
            continue;
        }
        return Err(match argument {
            Value::Nil => format!("invalid value; expected {wanted}"),
            other => format!(
                "wrong type for value; expected {wanted}; got {}",
                other.type_name()
            ),
        });
    }
    Ok(())
}
