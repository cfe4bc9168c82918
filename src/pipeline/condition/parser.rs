//! Tokens to an expression, by recursive descent: or, and, not, comparison, atom.

use super::lexer::{Token, syntax, tokens};
use super::{Comparison, Expression, ExpressionKind, Reference};
use crate::artifact::Scalar;
use crate::base::{Problem, Span};

/// Deeper than any condition a person writes, and shallow enough for every stack.
const MAX_DEPTH: usize = 64;

/// Parses a whole text.
pub(super) fn parse(text: &str) -> Result<Expression, Problem> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, end: text.len(), depth: 0 };
    let expression = parser.or()?;
    match parser.tokens.get(parser.at) {
        None => Ok(expression),
        Some((_, span)) => Err(syntax(span.start, span.len, "expected the end of the condition".to_owned())),
    }
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    at: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn or(&mut self) -> Result<Expression, Problem> {
        let mut left = self.and()?;
        while self.take("||") {
            left = join(left, self.and()?, ExpressionKind::Or);
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, Problem> {
        let mut left = self.not()?;
        while self.take("&&") {
            left = join(left, self.not()?, ExpressionKind::And);
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression, Problem> {
        let start = self.place().start;
        if !self.take("!") {
            return self.comparison();
        }
        self.deeper(start)?;
        let inner = self.not()?;
        self.depth -= 1;
        let span = Span { start, len: inner.span.start + inner.span.len - start };
        Ok(Expression { node: ExpressionKind::Not(Box::new(inner)), span })
    }

    fn comparison(&mut self) -> Result<Expression, Problem> {
        const COMPARISONS: [(&str, Comparison); 6] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let left = self.atom()?;
        if self.take("in") {
            return Ok(join(left, self.atom()?, ExpressionKind::In));
        }
        for (symbol, comparison) in COMPARISONS {
            if self.take(symbol) {
                let right = self.atom()?;
                return Ok(join(left, right, |a, b| ExpressionKind::Compare(comparison, a, b)));
            }
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Expression, Problem> {
        let span = self.place();
        let Some((token, _)) = self.tokens.get(self.at).cloned() else {
            return Err(syntax(self.end, 0, "the condition ends where a value is expected".to_owned()));
        };
        self.at += 1;
        match token {
            Token::Literal(scalar) => Ok(Expression { node: ExpressionKind::Literal(scalar), span }),
            Token::Name(name) => Ok(Expression { node: ExpressionKind::Reference(reference(&name, span)?), span }),
            Token::Symbol("-") => self.negative(span),
            Token::Symbol("(") => {
                self.deeper(span.start)?;
                let inner = self.or()?;
                self.depth -= 1;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Symbol("[") => {
                self.deeper(span.start)?;
                let list = self.list(span.start);
                self.depth -= 1;
                list
            }
            Token::Symbol(symbol) => Err(syntax(span.start, span.len, format!("expected a value, found `{symbol}`"))),
        }
    }

    fn negative(&mut self, minus: Span) -> Result<Expression, Problem> {
        let number = self.atom()?;
        let node = match number.node {
            ExpressionKind::Literal(Scalar::Int(value)) => Scalar::Int(-value),
            ExpressionKind::Literal(Scalar::Float(value)) => Scalar::Float(-value),
            _ => return Err(syntax(minus.start, minus.len, "expected a number after `-`".to_owned())),
        };
        let len = number.span.start + number.span.len - minus.start;
        Ok(Expression { node: ExpressionKind::Literal(node), span: Span { start: minus.start, len } })
    }

    fn list(&mut self, start: usize) -> Result<Expression, Problem> {
        let mut items = Vec::new();
        if !self.take("]") {
            loop {
                items.push(self.atom()?);
                if self.take("]") {
                    break;
                }
                self.expect(",")?;
            }
        }
        let end = self.tokens.get(self.at - 1).map_or(self.end, |(_, span)| span.start + span.len);
        Ok(Expression { node: ExpressionKind::List(items), span: Span { start, len: end - start } })
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some((Token::Symbol(next), _)) if *next == symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Problem> {
        if self.take(symbol) {
            return Ok(());
        }
        let span = self.place();
        Err(syntax(span.start, span.len, format!("expected `{symbol}`")))
    }

    fn deeper(&mut self, start: usize) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(syntax(start, 1, format!("a condition nests at most {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }

    fn place(&self) -> Span {
        self.tokens.get(self.at).map_or(Span { start: self.end, len: 0 }, |(_, span)| *span)
    }
}

fn join(
    left: Expression,
    right: Expression,
    build: impl FnOnce(Box<Expression>, Box<Expression>) -> ExpressionKind,
) -> Expression {
    let span = Span { start: left.span.start, len: right.span.start + right.span.len - left.span.start };
    Expression { node: build(Box::new(left), Box::new(right)), span }
}

fn reference(name: &str, span: Span) -> Result<Reference, Problem> {
    match name.split_once('.') {
        Some(("params", param)) => Ok(Reference::Param(param.to_owned())),
        Some(("matrix", axis)) => Ok(Reference::Matrix(axis.to_owned())),
        Some(("run", "as_of")) => Ok(Reference::AsOf),
        Some(("run", "status")) => Ok(Reference::RunStatus),
        Some((node, "status")) => Ok(Reference::Status(node.to_owned())),
        Some((node, value)) => Ok(Reference::Value { node: node.to_owned(), value: value.to_owned() }),
        None => Err(syntax(span.start, span.len, format!("`{name}` is not a value"))
            .hint("write `node.value`, `params.name`, or quote a word: \"...\"")),
    }
}
