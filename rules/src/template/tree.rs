//! What a template says, after parsing.

use super::value::Value;

/// A part of the template's text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn to(self, end: usize) -> Self {
        Self {
            start: self.start,
            end,
        }
    }
}

/// Nodes in their order.
pub(super) type Nodes = Vec<Node>;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    Range(Branch),
    With(Branch),
    Template {
        name: String,
        argument: Option<Pipe>,
        span: Span,
    },
    Break,
    Continue,
}

/// A pipeline, what is written if it holds, and what otherwise.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) body: Nodes,
    pub(super) otherwise: Nodes,
}

/// Commands of which each gets the result of the one before as its last argument.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    /// The variables that get the result, one or, of `range`, two.
    pub(super) targets: Vec<String>,
    /// Whether the variables are new ones.
    pub(super) declares: bool,
    pub(super) commands: Vec<Command>,
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) term: Term,
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum Term {
    Dot,
    Nil,
    Constant(Value),
    /// `.A.B`
    Field(Vec<String>),
    /// `$x.A.B`, the name with its `$`.
    Variable(String, Vec<String>),
    Function(String),
    Pipe(Box<Pipe>),
    /// `(...).A.B`
    Chain(Box<Operand>, Vec<String>),
}
