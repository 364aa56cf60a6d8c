//! Pipelines, commands and operands.

use super::super::lexer::{Token, TokenKind};
use super::super::literal;
use super::super::tree::{Command, Operand, Pipe, Term};
use super::super::value::Value;
use super::{Parser, Wrong};

impl Parser<'_> {
    /// A pipeline and the token that closes it.
    pub(super) fn pipe(&mut self, context: &str, close: TokenKind) -> Result<Pipe, Wrong> {
        let start = self.peek().span;
        let (targets, declares) = self.targets(context)?;
        let mut commands = Vec::new();
        loop {
            let command = self.command(context, close)?;
            self.check_stage(&command, commands.len())?;
            commands.push(command);
            let token = self.next();
            if token.kind == close {
                break;
            }
        }
        if declares {
            self.variables.extend(targets.iter().cloned());
        }
        Ok(Pipe {
            targets,
            declares,
            span: start.to(self.tokens[self.place - 1].span.start),
            commands,
        })
    }

    /// `$x :=`, `$x =`, and of `range` `$i, $x :=`.
    fn targets(&mut self, context: &str) -> Result<(Vec<String>, bool), Wrong> {
        let kind_at = |place: usize| self.tokens.get(place).map(|token| token.kind);
        let name_at = |place: usize| self.source(self.tokens[place].span).to_owned();
        let at = self.place;
        if kind_at(at) != Some(TokenKind::Variable) {
            return Ok((Vec::new(), false));
        }
        let mut targets = vec![name_at(at)];
        let mut after = at + 1;
        if context == "range" && kind_at(after) == Some(TokenKind::Comma) {
            if kind_at(after + 1) != Some(TokenKind::Variable) {
                return Err(Wrong::new(
                    self.tokens[after].span.start,
                    "range can only initialize variables",
                ));
            }
            targets.push(name_at(after + 1));
            after += 2;
        }
        let declares = match kind_at(after) {
            Some(TokenKind::Declare) => true,
            Some(TokenKind::Assign) => false,
            Some(TokenKind::Comma) => {
                let message = format!("too many declarations in {context}");
                return Err(Wrong::new(self.tokens[after].span.start, message));
            }
            _ => return Ok((Vec::new(), false)),
        };
        if !declares
            && let Some(unknown) = targets.iter().find(|name| !self.variables.contains(name))
        {
            let message = format!("undefined variable {unknown:?}");
            return Err(Wrong::new(self.tokens[at].span.start, message));
        }
        self.place = after + 1;
        Ok((targets, declares))
    }

    fn command(&mut self, context: &str, close: TokenKind) -> Result<Command, Wrong> {
        let start = self.peek().span;
        let mut operands: Vec<Operand> = Vec::new();
        loop {
            let token = self.peek().clone();
            if token.kind == TokenKind::Pipe || token.kind == close {
                if operands.is_empty() {
                    return Err(Wrong::new(
                        start.start,
                        format!("missing value for {context}"),
                    ));
                }
                let end = operands.last().map_or(start.end, |last| last.span.end);
                return Ok(Command {
                    operands,
                    span: start.to(end),
                });
            }
            if !operands.is_empty() && !token.spaced {
                return Err(self.unexpected(&token, "operand"));
            }
            operands.push(self.operand(context)?);
        }
    }

    /// Constants can begin a pipeline but not go on with one.
    fn check_stage(&self, command: &Command, before: usize) -> Result<(), Wrong> {
        let first = &command.operands[0];
        let constant = matches!(first.term, Term::Constant(_) | Term::Nil | Term::Dot);
        if before > 0 && constant {
            let message = format!("non executable command in pipeline stage {}", before + 1);
            return Err(Wrong::new(first.span.start, message));
        }
        Ok(())
    }

    fn operand(&mut self, context: &str) -> Result<Operand, Wrong> {
        let token = self.next();
        let term = self.term(&token, context)?;
        let mut span = token.span.to(self.tokens[self.place - 1].span.end);
        let mut fields = Vec::new();
        while self.next_is(TokenKind::Field) && !self.peek().spaced {
            let field = self.next();
            fields.push(self.source(field.span)[1..].to_owned());
            span.end = field.span.end;
        }
        if fields.is_empty() {
            return Ok(Operand { term, span });
        }
        let term = match term {
            Term::Field(mut names) => {
                names.extend(fields);
                Term::Field(names)
            }
            Term::Variable(name, mut names) => {
                names.extend(fields);
                Term::Variable(name, names)
            }
            Term::Constant(_) | Term::Nil | Term::Dot => {
                let source = self.source(token.span);
                let message = format!("unexpected . after term {source:?}");
                return Err(Wrong::new(token.span.start, message));
            }
            term => Term::Chain(
                Box::new(Operand {
                    term,
                    span: token.span,
                }),
                fields,
            ),
        };
        Ok(Operand { term, span })
    }

    fn term(&mut self, token: &Token, context: &str) -> Result<Term, Wrong> {
        let source = self.source(token.span);
        let at = token.span.start;
        Ok(match token.kind {
            TokenKind::Dot => Term::Dot,
            TokenKind::Field => Term::Field(vec![source[1..].to_owned()]),
            TokenKind::Variable => {
                if !self.variables.iter().any(|known| known == source) {
                    return Err(Wrong::new(at, format!("undefined variable {source:?}")));
                }
                Term::Variable(source.to_owned(), Vec::new())
            }
            TokenKind::Number => {
                let number = literal::number(source);
                Term::Constant(number.map_err(|message| Wrong::new(at, message))?)
            }
            TokenKind::Quoted => {
                let text = literal::unquote(source).map_err(|message| Wrong::new(at, message))?;
                Term::Constant(Value::from(text))
            }
            TokenKind::Char => {
                let text = literal::unquote(source).map_err(|message| Wrong::new(at, message))?;
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(only), None) => Term::Constant(Value::Int(i64::from(u32::from(only)))),
                    _ => {
                        return Err(Wrong::new(
                            at,
                            format!("malformed character constant: {source}"),
                        ));
                    }
                }
            }
            TokenKind::LeftParen => {
                let pipe = |parser: &mut Self| {
                    parser.pipe("parenthesized pipeline", TokenKind::RightParen)
                };
                Term::Pipe(Box::new(self.deeper(pipe)?))
            }
            TokenKind::Word => match source {
                "true" | "false" => Term::Constant(Value::Bool(source == "true")),
                "nil" => Term::Nil,
                "if" | "range" | "with" | "else" | "end" | "define" | "template" | "block" => {
                    return Err(self.unexpected(token, context));
                }
                name if (self.known)(name) => Term::Function(name.to_owned()),
                name => return Err(Wrong::new(at, format!("function {name:?} not defined"))),
            },
            _ => return Err(self.unexpected(token, context)),
        })
    }
}
