//! Walks over a template's tree and writes it out; [`call`] has fields, methods and functions.

mod call;

use super::error::Fault;
use super::format;
use super::tree::{Branch, Command, Node, Nodes, Operand, Pipe, Span, Term};
use super::value::Value;
use super::{Escape, MAX_STEPS, MAX_TEXT, Surroundings, Template, TemplateError, escape};

/// How deep rendering may go, templates within templates included: each level takes a few kilobytes
/// of the stack.
const MAX_DEPTH: usize = 150;

/// Renders the template itself.
pub(super) fn render<E: ?Sized>(
    template: &Template,
    (data, variables): (&Value, &[(&str, Value)]),
    escape: Escape,
    surroundings: Surroundings<'_, E>,
) -> Result<String, TemplateError> {
    let mut walk = Walk::new(template, data, surroundings);
    walk.escape = escape;
    for (name, value) in variables {
        walk.variables.push(((*name).to_owned(), value.clone()));
    }
    let done = walk.nodes(&template.root, data);
    walk.finished(done.map(|_| ()))
}

/// Renders one that it defines.
pub(super) fn render_defined<E: ?Sized>(
    template: &Template,
    name: &str,
    data: &Value,
    surroundings: Surroundings<'_, E>,
) -> Result<String, TemplateError> {
    let mut walk = Walk::new(template, data, surroundings);
    let done = walk.template(name, data, Span::default());
    walk.finished(done)
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Walk<'a, E: ?Sized> {
    template: &'a Template,
    escape: Escape,
    surroundings: Surroundings<'a, E>,
    /// The variables that are known here, the newest last.
    variables: Vec<(String, Value)>,
    out: String,
    steps: usize,
    depth: usize,
}

impl<'a, E: ?Sized> Walk<'a, E> {
    fn new(template: &'a Template, data: &Value, surroundings: Surroundings<'a, E>) -> Self {
        Self {
            template,
            escape: Escape::No,
            surroundings,
            variables: vec![("$".to_owned(), data.clone())],
            out: String::new(),
            steps: 0,
            depth: 0,
        }
    }

    fn finished(self, done: Result<(), Fault>) -> Result<String, TemplateError> {
        done.map_err(|fault| TemplateError::execute(&self.template.source, &fault))?;
        Ok(self.out)
    }

    fn step(&mut self, span: Span) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Fault::new(span, format!("more than {MAX_STEPS} steps")));
        }
        Ok(())
    }

    fn deeper<T>(
        &mut self,
        span: Span,
        go: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            let message = format!("exceeded maximum template depth ({MAX_DEPTH})");
            return Err(Fault::new(span, message));
        }
        self.depth += 1;
        let done = go(self);
        self.depth -= 1;
        done
    }

    fn write(&mut self, text: &str, span: Span) -> Result<(), Fault> {
        if self.out.len() + text.len() > MAX_TEXT {
            return Err(Fault::new(
                span,
                format!("more than {MAX_TEXT} bytes of output"),
            ));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn nodes(&mut self, nodes: &Nodes, dot: &Value) -> Result<Flow, Fault> {
        for node in nodes {
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, Fault> {
        self.step(Span::default())?;
        match node {
            Node::Text(text) => self.write(text, Span::default())?,
            Node::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.targets.is_empty() {
                    let text =
                        format::shown(&value).map_err(|wrong| Fault::new(pipe.span, wrong))?;
                    match self.escape {
                        Escape::Html => {
                            let text = escape::within(&self.out, pipe, (&value, text));
                            self.write(&text, pipe.span)?;
                        }
                        Escape::No => self.write(&text, pipe.span)?,
                    }
                }
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::If(branch) => return self.scoped(branch, |walk| walk.branch(branch, dot, None)),
            Node::With(branch) => {
                return self.scoped(branch, |walk| walk.branch(branch, dot, Some(())));
            }
            Node::Range(branch) => return self.scoped(branch, |walk| walk.range(branch, dot)),
            Node::Template {
                name,
                argument,
                span,
            } => {
                let data = match argument {
                    Some(pipe) => self.pipe(pipe, dot)?,
                    None => Value::Nil,
                };
                self.template(name, &data, *span)?;
            }
        }
        Ok(Flow::On)
    }

    /// Variables that are declared within are forgotten after it.
    fn scoped(
        &mut self,
        branch: &Branch,
        go: impl FnOnce(&mut Self) -> Result<Flow, Fault>,
    ) -> Result<Flow, Fault> {
        let known = self.variables.len();
        let done = self.deeper(branch.pipe.span, go);
        self.variables.truncate(known);
        done
    }

    /// `if`, and `with`, within which the value is the dot.
    fn branch(&mut self, branch: &Branch, dot: &Value, with: Option<()>) -> Result<Flow, Fault> {
        let value = self.pipe(&branch.pipe, dot)?;
        if !value.is_true() {
            return self.nodes(&branch.otherwise, dot);
        }
        let dot = if with.is_some() { &value } else { dot };
        self.nodes(&branch.body, dot)
    }

    fn range(&mut self, branch: &Branch, dot: &Value) -> Result<Flow, Fault> {
        let known = self.variables.len();
        let value = self.commands(&branch.pipe, dot)?;
        let plain = value.plain();
        let length = match &plain {
            Value::Nil => 0,
            Value::List(list) => list.items().len(),
            Value::Map(map) => map.entries().len(),
            Value::Int(count) => usize::try_from(*count).unwrap_or(0),
            _ => {
                let shown = format::print(&[value]).unwrap_or_default();
                let message = format!("range can't iterate over {shown}");
                return Err(Fault::new(branch.pipe.span, message));
            }
        };
        let mut entries = match &plain {
            Value::Map(map) => Some(map.entries().iter()),
            _ => None,
        };
        for place in 0..length {
            self.step(branch.pipe.span)?;
            let index = Value::Int(i64::try_from(place).unwrap_or(i64::MAX));
            let (key, item) = match (&plain, entries.as_mut().and_then(Iterator::next)) {
                (_, Some((key, item))) => (Value::text(key), item.clone()),
                (Value::List(list), _) => (index, list.items()[place].clone()),
                _ => (index.clone(), index),
            };
            self.targets(&branch.pipe, key, &item);
            let flow = self.nodes(&branch.body, &item)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        if length == 0 {
            return self.nodes(&branch.otherwise, dot);
        }
        Ok(Flow::On)
    }

    /// Sets the variables of a `range` for one turn.
    fn targets(&mut self, pipe: &Pipe, key: Value, item: &Value) {
        match pipe.targets.as_slice() {
            [one] => self.set(pipe, one, item.clone()),
            [first, second] => {
                self.set(pipe, first, key);
                self.set(pipe, second, item.clone());
            }
            _ => {}
        }
    }

    fn set(&mut self, pipe: &Pipe, name: &str, value: Value) {
        if pipe.declares {
            self.variables.push((name.to_owned(), value));
            return;
        }
        let known = self
            .variables
            .iter_mut()
            .rev()
            .find(|(known, _)| known == name);
        if let Some((_, slot)) = known {
            *slot = value;
        }
    }

    fn template(&mut self, name: &str, data: &Value, span: Span) -> Result<(), Fault> {
        let template = self.template;
        let Some(defined) = template.defined.get(name) else {
            return Err(Fault::new(span, format!("template {name:?} not defined")));
        };
        let own = vec![("$".to_owned(), data.clone())];
        let outer = std::mem::replace(&mut self.variables, own);
        let done = self.deeper(span, |walk| {
            let done = walk.nodes(&defined.nodes, data);
            done.map_err(|fault| fault.within(&defined.source))
        });
        self.variables = outer;
        done.map(|_| ())
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, Fault> {
        let value = self.commands(pipe, dot)?;
        for name in &pipe.targets {
            self.set(pipe, name, value.clone());
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, Fault> {
        let mut value = None;
        for command in &pipe.commands {
            self.step(command.span)?;
            value = Some(self.command(command, dot, value)?);
        }
        Ok(value.unwrap_or(Value::Nil))
    }

    /// `last` is the result of the command before.
    fn command(
        &mut self,
        command: &Command,
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Fault> {
        let first = &command.operands[0];
        let rest = &command.operands[1..];
        match &first.term {
            Term::Function(name) => return self.function(name, first.span, (rest, last), dot),
            Term::Field(_) | Term::Variable(..) | Term::Chain(..) => {
                let mut arguments = self.operands(rest, dot)?;
                arguments.extend(last);
                return self.fields(first, &arguments, dot);
            }
            _ => {}
        }
        if !rest.is_empty() || last.is_some() {
            return Err(Fault::new(
                first.span,
                "can't give argument to non-function",
            ));
        }
        if matches!(first.term, Term::Nil) {
            return Err(Fault::new(first.span, "nil is not a command"));
        }
        self.operand(first, dot)
    }

    fn operands(&mut self, operands: &[Operand], dot: &Value) -> Result<Vec<Value>, Fault> {
        operands
            .iter()
            .map(|operand| self.operand(operand, dot))
            .collect()
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, Fault> {
        self.step(operand.span)?;
        match &operand.term {
            Term::Dot => Ok(dot.clone()),
            Term::Nil => Ok(Value::Nil),
            Term::Constant(value) => Ok(value.clone()),
            Term::Pipe(pipe) => self.deeper(operand.span, |walk| walk.pipe(pipe, dot)),
            Term::Function(name) => self.function(name, operand.span, (&[], None), dot),
            Term::Field(_) | Term::Variable(..) | Term::Chain(..) => self.fields(operand, &[], dot),
        }
    }
}
