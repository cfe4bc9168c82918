//! Tokens to a tree, by recursive descent.

use super::lexer::{Token, syntax, tokens};
use super::tree::{Argument, Binary, Node, Tree, Unary};
use crate::base::{Located, Problem, Span};

/// More parts than any expression a person writes, and few enough for every stack.
const MAX_PARTS: usize = 256;
/// Deeper than anybody reads.
const MAX_DEPTH: usize = 48;

const COMPARISONS: &[Binary] =
    &[Binary::Equal, Binary::NotEqual, Binary::LessOrEqual, Binary::GreaterOrEqual, Binary::Less, Binary::Greater];

/// Parses one expression.
///
/// # Errors
/// The first place that is not of the language; its span lies inside the text.
pub fn parse(text: &str) -> Result<Tree, Problem> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, end: text.len(), parts: 0, depth: 0 };
    let tree = parser.or()?;
    match parser.tokens.get(parser.at) {
        None => Ok(tree),
        Some((token, span)) => Err(parser.stray(token, *span)),
    }
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    at: usize,
    end: usize,
    parts: usize,
    depth: usize,
}

impl Parser {
    fn or(&mut self) -> Result<Tree, Problem> {
        self.chain(&[Binary::Or], Self::and)
    }

    fn and(&mut self) -> Result<Tree, Problem> {
        self.chain(&[Binary::And], Self::not)
    }

    fn not(&mut self) -> Result<Tree, Problem> {
        let start = self.place().start;
        if !self.take("not") {
            return self.comparison();
        }
        let inner = self.deeper(start, Self::not)?;
        Ok(signed(Unary::Not, start, inner))
    }

    fn comparison(&mut self) -> Result<Tree, Problem> {
        let left = self.sum()?;
        let Some(operator) = self.operator(COMPARISONS)? else { return Ok(left) };
        let right = self.sum()?;
        let joined = join(operator, left, right);
        let span = self.place();
        if self.operator(COMPARISONS)?.is_some() {
            return Err(syntax(span.start, span.len, "a comparison has two sides, found a third")
                .hint("write `a < b and b < c`"));
        }
        Ok(joined)
    }

    fn sum(&mut self) -> Result<Tree, Problem> {
        self.chain(&[Binary::Add, Binary::Subtract], Self::product)
    }

    fn product(&mut self) -> Result<Tree, Problem> {
        self.chain(&[Binary::Multiply, Binary::Divide], Self::negative)
    }

    fn negative(&mut self) -> Result<Tree, Problem> {
        let start = self.place().start;
        if !self.take("-") {
            return self.power();
        }
        let inner = self.deeper(start, Self::negative)?;
        Ok(signed(Unary::Negative, start, inner))
    }

    fn power(&mut self) -> Result<Tree, Problem> {
        let base = self.atom()?;
        match self.operator(&[Binary::Power])? {
            // the exponent may be signed and may itself be a power: 2 ^ -3 ^ 2
            Some(operator) => {
                let start = self.place().start;
                Ok(join(operator, base, self.deeper(start, Self::negative)?))
            }
            None => Ok(base),
        }
    }

    fn atom(&mut self) -> Result<Tree, Problem> {
        let span = self.place();
        self.count(span.start)?;
        let Some((token, _)) = self.tokens.get(self.at).cloned() else {
            return Err(syntax(self.end, 0, "expected a value, found the end of the expression"));
        };
        self.at += 1;
        let node = match token {
            Token::Number(number) => Node::Number(number),
            Token::Text(text) => Node::Text(text),
            Token::Parameter(name) => Node::Parameter(name),
            Token::Symbol("true") => Node::Boolean(true),
            Token::Symbol("false") => Node::Boolean(false),
            Token::Symbol("null") => Node::Null,
            Token::Symbol("(") => {
                let inner = self.deeper(span.start, Self::or)?;
                self.expect(")", span)?;
                return Ok(inner);
            }
            Token::Name(name) if self.take("(") => return self.call(name, span),
            Token::Name(name) => Node::Name(name),
            Token::Symbol(_) => {
                return Err(syntax(span.start, span.len, format!("expected a value, found {}", token.describe())));
            }
        };
        Ok(Tree { node, span })
    }

    fn call(&mut self, function: String, name: Span) -> Result<Tree, Problem> {
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.argument()?);
                if !self.take(",") {
                    break;
                }
            }
            self.expect(")", name)?;
        }
        let over_date = self.take("over");
        if over_date {
            let span = self.place();
            match self.tokens.get(self.at) {
                Some((Token::Name(word), _)) if word == "date" => self.at += 1,
                other => {
                    let found =
                        other.map_or_else(|| "the end of the expression".to_owned(), |(token, _)| token.describe());
                    return Err(syntax(span.start, span.len, format!("expected `date` after `over`, found {found}")));
                }
            }
        }
        let end = self.tokens.get(self.at.saturating_sub(1)).map_or(self.end, |(_, span)| span.start + span.len);
        let span = Span { start: name.start, len: end - name.start };
        Ok(Tree { node: Node::Call { function, arguments, over_date }, span })
    }

    fn argument(&mut self) -> Result<Argument, Problem> {
        let named = match (self.tokens.get(self.at), self.tokens.get(self.at + 1)) {
            (Some((Token::Name(name), span)), Some((Token::Symbol("="), _))) => Some(Located::new(name.clone(), *span)),
            _ => None,
        };
        if named.is_some() {
            self.at += 2;
        }
        let start = self.place().start;
        Ok(Argument { name: named, value: self.deeper(start, Self::or)? })
    }

    /// Operands joined by operators that lean to the left.
    fn chain(
        &mut self,
        operators: &[Binary],
        operand: fn(&mut Self) -> Result<Tree, Problem>,
    ) -> Result<Tree, Problem> {
        let mut left = operand(self)?;
        while let Some(operator) = self.operator(operators)? {
            left = join(operator, left, operand(self)?);
        }
        Ok(left)
    }

    fn operator(&mut self, known: &[Binary]) -> Result<Option<Binary>, Problem> {
        let start = self.place().start;
        let found = known.iter().copied().find(|operator| self.take(operator.symbol()));
        if found.is_some() {
            self.count(start)?;
        }
        Ok(found)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some((Token::Symbol(next), _)) if *next == symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str, opened: Span) -> Result<(), Problem> {
        if self.take(symbol) {
            return Ok(());
        }
        let span = self.place();
        Err(match self.tokens.get(self.at) {
            Some((token, _)) => self.stray(token, span),
            None => syntax(opened.start, self.end - opened.start, "this parenthesis is never closed: expected `)`"),
        })
    }

    /// A token where an operator or the end should be.
    fn stray(&self, token: &Token, span: Span) -> Problem {
        let problem =
            |expected: &str| syntax(span.start, span.len, format!("expected {expected}, found {}", token.describe()));
        match token {
            Token::Symbol("=") => problem("an operator").hint("compare with `==`"),
            Token::Symbol(",") => problem("an operator or `)`").hint("a decimal is written with a point"),
            Token::Symbol("over") => problem("an operator").hint("`over date` follows a call: `rank(x) over date`"),
            Token::Symbol(")") => problem("an operator or the end").hint("remove it, or open it before"),
            _ => problem("an operator"),
        }
    }

    /// Reads what stands one level below.
    fn deeper(&mut self, start: usize, read: fn(&mut Self) -> Result<Tree, Problem>) -> Result<Tree, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(syntax(start, 0, format!("an expression nests at most {MAX_DEPTH} levels deep"))
                .hint("give a part of it a name"));
        }
        let inner = read(self);
        self.depth -= 1;
        inner
    }

    /// Counts a part, so that no text nests deeper than a stack.
    fn count(&mut self, start: usize) -> Result<(), Problem> {
        self.parts += 1;
        if self.parts <= MAX_PARTS {
            return Ok(());
        }
        let len = self.place().len.min(self.end - start);
        Err(syntax(start, len, format!("an expression has at most {MAX_PARTS} parts")).hint("give a part of it a name"))
    }

    fn place(&self) -> Span {
        self.tokens.get(self.at).map_or(Span { start: self.end, len: 0 }, |(_, span)| *span)
    }
}

fn signed(operator: Unary, start: usize, inner: Tree) -> Tree {
    let span = Span { start, len: inner.span.start + inner.span.len - start };
    Tree { node: Node::Unary(operator, Box::new(inner)), span }
}

fn join(operator: Binary, left: Tree, right: Tree) -> Tree {
    let span = Span { start: left.span.start, len: right.span.start + right.span.len - left.span.start };
    Tree { node: Node::Binary(operator, Box::new(left), Box::new(right)), span }
}
