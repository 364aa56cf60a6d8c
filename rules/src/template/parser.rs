//! Makes a tree of a template's tokens: here its blocks, in [`pipe`] what stands within an action.

mod pipe;

use std::collections::BTreeMap;

use super::lexer::{self, Token, TokenKind};
use super::literal;
use super::tree::{Branch, Node, Nodes, Span};

/// How deep blocks and parentheses may lie in each other.
const MAX_DEPTH: usize = 50;

/// What is wrong, and at which byte.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) message: String,
}

impl Wrong {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

/// A template and those that it defines.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) root: Nodes,
    pub(super) defined: BTreeMap<String, Nodes>,
}

/// Parses a template.
pub(super) fn parse(
    text: &str,
    known: &dyn Fn(&str) -> bool,
    variables: &[&str],
) -> Result<Parsed, Wrong> {
    let mut parser = Parser {
        text,
        tokens: lexer::tokens(text)?,
        place: 0,
        known,
        variables: Vec::new(),
        defined: BTreeMap::new(),
        loops: 0,
        depth: 0,
    };
    parser.variables.push("$".to_owned());
    parser
        .variables
        .extend(variables.iter().map(|name| (*name).to_owned()));
    let (root, stop) = parser.nodes(true)?;
    match stop {
        Stop::Text => Ok(Parsed {
            root,
            defined: parser.defined,
        }),
        Stop::End(at) => Err(Wrong::new(at, "unexpected {{end}}")),
        Stop::Else(at) => Err(Wrong::new(at, "unexpected {{else}}")),
    }
}

/// Whether nodes are nothing but blanks, and so no definition worth replacing another.
pub(super) fn is_blank(nodes: &Nodes) -> bool {
    let mut nodes = nodes.iter();
    nodes.all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

/// What ended a list of nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The text is over.
    Text,
    /// `{{end}}`, at this byte.
    End(usize),
    /// `{{else`, at this byte; what follows it is not read yet.
    Else(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BranchKind {
    If,
    Range,
    With,
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    place: usize,
    known: &'a dyn Fn(&str) -> bool,
    /// The variables that are known here, the newest last.
    variables: Vec<String>,
    defined: BTreeMap<String, Nodes>,
    loops: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token {
        // The list ends with a token that nobody steps over.
        &self.tokens[self.place.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.place += 1;
        token
    }

    fn source(&self, span: Span) -> &'a str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    fn next_is(&self, kind: TokenKind) -> bool {
        self.peek().kind == kind
    }

    fn unexpected(&self, token: &Token, context: &str) -> Wrong {
        let shown = match token.kind {
            TokenKind::End => "EOF".to_owned(),
            _ => format!("{:?}", self.source(token.span)),
        };
        Wrong::new(token.span.start, format!("unexpected {shown} in {context}"))
    }

    fn expect(&mut self, kind: TokenKind, context: &str) -> Result<Token, Wrong> {
        let token = self.next();
        if token.kind == kind {
            return Ok(token);
        }
        Err(self.unexpected(&token, context))
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Wrong>) -> Result<T, Wrong> {
        if self.depth >= MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} blocks or parentheses in each other");
            return Err(Wrong::new(self.peek().span.start, message));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn nodes(&mut self, is_top: bool) -> Result<(Nodes, Stop), Wrong> {
        let mut nodes = Nodes::new();
        loop {
            let token = self.next();
            match token.kind {
                TokenKind::Text => nodes.push(Node::Text(self.source(token.span).to_owned())),
                TokenKind::End => return Ok((nodes, Stop::Text)),
                _ => {}
            }
            if token.kind != TokenKind::Open {
                continue;
            }
            let word = self.peek().clone();
            let keyword = match word.kind {
                TokenKind::Word => self.source(word.span),
                _ => "",
            };
            match keyword {
                "end" => {
                    self.place += 1;
                    self.expect(TokenKind::Close, "end")?;
                    return Ok((nodes, Stop::End(word.span.start)));
                }
                "else" => {
                    self.place += 1;
                    return Ok((nodes, Stop::Else(word.span.start)));
                }
                "define" if is_top => self.definition()?,
                "define" => return Err(self.unexpected(&word, "command")),
                _ => nodes.push(self.action(keyword)?),
            }
        }
    }

    fn action(&mut self, keyword: &str) -> Result<Node, Wrong> {
        match keyword {
            "if" => self.keyword_branch(BranchKind::If).map(Node::If),
            "range" => self.keyword_branch(BranchKind::Range).map(Node::Range),
            "with" => self.keyword_branch(BranchKind::With).map(Node::With),
            "template" => self.template(),
            "block" => self.block(),
            "break" | "continue" if self.is_jump() => {
                let word = self.next();
                if self.loops == 0 {
                    let message = format!("{{{{{keyword}}}}} outside {{{{range}}}}");
                    return Err(Wrong::new(word.span.start, message));
                }
                self.expect(TokenKind::Close, keyword)?;
                Ok(if keyword == "break" {
                    Node::Break
                } else {
                    Node::Continue
                })
            }
            // Variables that an action declares live until the block around it ends.
            _ => self.pipe("command", TokenKind::Close).map(Node::Action),
        }
    }

    /// Whether `break` and `continue` are the keywords and not functions of those names.
    fn is_jump(&self) -> bool {
        let after = self.tokens.get(self.place + 1);
        after.is_some_and(|token| token.kind == TokenKind::Close)
    }

    fn keyword_branch(&mut self, kind: BranchKind) -> Result<Branch, Wrong> {
        self.place += 1;
        let known = self.variables.len();
        let branch = self.deeper(|parser| parser.branch(kind));
        self.variables.truncate(known);
        branch
    }

    fn branch(&mut self, kind: BranchKind) -> Result<Branch, Wrong> {
        let context = match kind {
            BranchKind::If => "if",
            BranchKind::Range => "range",
            BranchKind::With => "with",
        };
        let pipe = self.pipe(context, TokenKind::Close)?;
        if kind != BranchKind::Range && pipe.targets.len() > 1 {
            let message = format!("too many declarations in {context}");
            return Err(Wrong::new(pipe.span.start, message));
        }
        self.loops += usize::from(kind == BranchKind::Range);
        let known = self.variables.len();
        let body = self.nodes(false);
        self.variables.truncate(known);
        self.loops -= usize::from(kind == BranchKind::Range);
        let (body, stop) = body?;
        let otherwise = match stop {
            Stop::Else(_) => self.otherwise(kind)?,
            Stop::End(_) => Nodes::new(),
            Stop::Text => return Err(self.missing_end()),
        };
        Ok(Branch {
            pipe,
            body,
            otherwise,
        })
    }

    fn otherwise(&mut self, kind: BranchKind) -> Result<Nodes, Wrong> {
        let word = self.peek().clone();
        let keyword = match word.kind {
            TokenKind::Word => self.source(word.span),
            _ => "",
        };
        // What begins with `else if` ends with the same `end` as the whole.
        let chained = match (kind, keyword) {
            (BranchKind::If, "if") => Some(Node::If as fn(Branch) -> Node),
            (BranchKind::With, "with") => Some(Node::With as fn(Branch) -> Node),
            _ => None,
        };
        if let Some(node) = chained {
            return Ok(vec![node(self.keyword_branch(kind)?)]);
        }
        self.expect(TokenKind::Close, "else")?;
        let known = self.variables.len();
        let (nodes, stop) = self.nodes(false)?;
        self.variables.truncate(known);
        match stop {
            Stop::End(_) => Ok(nodes),
            Stop::Else(at) => Err(Wrong::new(at, "expected end; found {{else}}")),
            Stop::Text => Err(self.missing_end()),
        }
    }

    fn missing_end(&self) -> Wrong {
        Wrong::new(self.text.len(), "unexpected EOF")
    }

    fn quoted_name(&mut self, context: &str) -> Result<String, Wrong> {
        let token = self.expect(TokenKind::Quoted, context)?;
        literal::unquote(self.source(token.span))
            .map_err(|message| Wrong::new(token.span.start, message))
    }

    fn definition(&mut self) -> Result<(), Wrong> {
        self.place += 1;
        let name = self.quoted_name("define clause")?;
        self.expect(TokenKind::Close, "define clause")?;
        let body = self.separate()?;
        self.define(name, body);
        Ok(())
    }

    /// A definition of nothing but blanks leaves an earlier one as it is.
    fn define(&mut self, name: String, body: Nodes) {
        if is_blank(&body) && self.defined.contains_key(&name) {
            return;
        }
        self.defined.insert(name, body);
    }

    /// The nodes of a template of its own, which knows nothing but `$`.
    fn separate(&mut self) -> Result<Nodes, Wrong> {
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let loops = std::mem::take(&mut self.loops);
        let parsed = self.deeper(|parser| parser.nodes(false));
        self.variables = outer;
        self.loops = loops;
        match parsed? {
            (nodes, Stop::End(_)) => Ok(nodes),
            (_, Stop::Else(at)) => Err(Wrong::new(at, "unexpected {{else}} in define clause")),
            (_, Stop::Text) => Err(self.missing_end()),
        }
    }

    fn template(&mut self) -> Result<Node, Wrong> {
        let start = self.next().span;
        let name = self.quoted_name("template clause")?;
        let argument = if self.next_is(TokenKind::Close) {
            self.place += 1;
            None
        } else {
            Some(self.pipe("template clause", TokenKind::Close)?)
        };
        let end = self.tokens[self.place - 1].span.start;
        Ok(Node::Template {
            name,
            argument,
            span: start.to(end),
        })
    }

    fn block(&mut self) -> Result<Node, Wrong> {
        let span = self.next().span;
        let name = self.quoted_name("block clause")?;
        let argument = Some(self.pipe("block clause", TokenKind::Close)?);
        let body = self.separate()?;
        self.define(name.clone(), body);
        Ok(Node::Template {
            name,
            argument,
            span,
        })
    }
}
