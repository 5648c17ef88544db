//! Reading a text piece by piece, with places for diagnostics.

use diag::{Code, Diagnostic, Loc};
use std::sync::Arc;

type Result<T> = std::result::Result<T, Diagnostic>;

/// A position in a text; spaces and `//` comments are skipped before every piece.
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    file: Arc<str>,
    line_starts: Vec<usize>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str, file: &str) -> Self {
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Scanner { text, at: 0, file: file.into(), line_starts: std::iter::once(0).chain(newlines).collect() }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest().trim_start();
            self.at = self.text.len() - rest.len();
            if !rest.starts_with("//") {
                return;
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    /// The position of the next piece.
    pub fn position(&mut self) -> usize {
        self.skip_space();
        self.at
    }

    /// Goes back to a position.
    pub fn rewind(&mut self, at: usize) {
        self.at = at;
    }

    /// A position as a location.
    pub fn loc(&self, at: usize) -> Loc {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts[line - 1];
        let column = self.text[start..at].chars().count() + 1;
        Loc::Text {
            file: self.file.clone(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// A syntax error at a position.
    pub fn error(&self, at: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(Code::Syntax, self.loc(at), message)
    }

    /// A syntax error at the next piece.
    pub fn fail<T>(&mut self, message: impl Into<String>) -> Result<T> {
        let at = self.position();
        Err(self.error(at, message))
    }

    /// The next character, which stays.
    pub fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.rest().chars().next()
    }

    /// Takes these characters if they are next.
    pub fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes these characters, which must be next.
    pub fn expect(&mut self, token: &str) -> Result<()> {
        match self.eat(token) {
            true => Ok(()),
            false => self.fail(format!("expected `{token}`")),
        }
    }

    /// The longest piece of such characters, which may be empty.
    pub fn run(&mut self, accepts: impl Fn(char) -> bool) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|c| !accepts(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A number without a sign.
    ///
    /// # Errors
    /// Where none stands, or one that is too large for its type.
    pub fn number<T: std::str::FromStr>(&mut self) -> Result<T> {
        let at = self.position();
        let digits = self.run(|c| c.is_ascii_digit());
        digits.parse().map_err(|_| self.error(at, "expected a number"))
    }

    /// A name of letters, digits, `_`, `.` and `-`.
    pub fn name(&mut self, what: &str) -> Result<&'a str> {
        let at = self.position();
        let name = self.run(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        if name.is_empty() {
            return Err(self.error(at, format!("expected {what}")));
        }
        Ok(name)
    }

    /// A plain word or a quoted text.
    pub fn word(&mut self, what: &str) -> Result<String> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let at = self.position();
        let word = self.run(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
        if !crate::text::is_plain(word) {
            return Err(self.error(at, format!("expected {what}")));
        }
        Ok(word.into())
    }

    /// A text in quotes.
    pub fn quoted(&mut self) -> Result<String> {
        let start = self.position();
        self.expect("\"")?;
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, c)) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err(self.error(start, "a quoted text does not end"))
    }

    /// A number or an expression: up to a comma or a closing bracket outside parentheses.
    pub fn expression(&mut self) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        let mut depth = 0usize;
        let ends = |c: char| match c {
            '(' => {
                depth += 1;
                false
            }
            ')' | ',' if depth == 0 => true,
            ')' => {
                depth -= 1;
                false
            }
            ',' | ' ' => false,
            c => !(c.is_ascii_alphanumeric() || "_.+-*".contains(c)),
        };
        let end = rest.find(ends).unwrap_or(rest.len());
        self.at += end;
        rest[..end].trim_end()
    }
}
