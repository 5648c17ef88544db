//! Words of PTX text.

use crate::error::Error;

/// A word, and the line that it stands in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) line: u32,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind<'a> {
    /// A name, directive or mnemonic with its modifiers: `ld.param.b64`, `.reg`, `%r1`, `$L__BB0_2`, `_`.
    Word(&'a str),
    /// An integer, in two's complement where it is negative.
    Int(u64),
    /// `0f3F800000`.
    F32(u32),
    /// `0d3FF0000000000000`, or a decimal with a point.
    F64(u64),
    /// What stands in quotes.
    Text,
    /// Any other character.
    Punct(char),
}

/// Splits text into words. Comments are dropped.
pub(crate) fn lex(text: &str) -> Result<Vec<Token<'_>>, Error> {
    let mut lexer = Lexer { text, at: 0, line: 1 };
    let mut tokens = vec![];
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'%' | b'.')
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn fail(&self, why: impl Into<String>) -> Error {
        Error::Parse { line: self.line, why: why.into() }
    }

    fn skip_blank(&mut self) -> Result<(), Error> {
        loop {
            match self.rest() {
                [b'\n', ..] => {
                    self.line += 1;
                    self.at += 1;
                }
                [byte, ..] if byte.is_ascii_whitespace() => self.at += 1,
                [b'/', b'/', rest @ ..] => {
                    self.at += 2 + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                [b'/', b'*', rest @ ..] => {
                    let end = rest.windows(2).position(|two| two == b"*/");
                    let end = end.ok_or_else(|| self.fail("a comment does not end"))?;
                    self.line += rest[..end].iter().filter(|byte| **byte == b'\n').count() as u32;
                    self.at += end + 4;
                }
                _ => return Ok(()),
            }
        }
    }

    fn next(&mut self) -> Result<Option<Token<'a>>, Error> {
        self.skip_blank()?;
        let line = self.line;
        let Some(first) = self.rest().first().copied() else { return Ok(None) };
        let kind = match first {
            b'0'..=b'9' => self.number()?,
            b'"' => {
                let end = self.rest()[1..].iter().position(|byte| *byte == b'"');
                self.at += 2 + end.ok_or_else(|| self.fail("a text in quotes does not end"))?;
                Kind::Text
            }
            byte if is_word(byte) => Kind::Word(self.word()),
            byte if byte.is_ascii() => {
                self.at += 1;
                Kind::Punct(byte.into())
            }
            _ => return Err(self.fail("a character that is not ASCII")),
        };
        Ok(Some(Token { kind, line }))
    }

    /// A word; `::` belongs to it, a single `:` ends a label.
    fn word(&mut self) -> &'a str {
        let start = self.at;
        loop {
            match self.rest() {
                [byte, ..] if is_word(*byte) => self.at += 1,
                [b':', b':', byte, ..] if is_word(*byte) => self.at += 2,
                _ => return &self.text[start..self.at],
            }
        }
    }

    fn number(&mut self) -> Result<Kind<'a>, Error> {
        let word = self.word();
        let wrong = || self.fail(format!("`{word}` is not a number"));
        let hex = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| wrong());
        let bits = |digits: &str| (digits.len() == 8).then(|| hex(digits)).ok_or_else(wrong)?;
        if let Some(digits) = word.strip_prefix("0f").or_else(|| word.strip_prefix("0F")) {
            return Ok(Kind::F32(bits(digits)? as u32));
        }
        if let Some(digits) = word.strip_prefix("0d").or_else(|| word.strip_prefix("0D")) {
            return Ok(Kind::F64(hex(digits)?));
        }
        if word.contains('.') {
            return word.parse::<f64>().map(|value| Kind::F64(value.to_bits())).map_err(|_| wrong());
        }
        let digits = word.trim_end_matches('U');
        let value = match digits.as_bytes() {
            [b'0', b'x' | b'X', ..] => u64::from_str_radix(&digits[2..], 16),
            [b'0', b'b' | b'B', ..] => u64::from_str_radix(&digits[2..], 2),
            [b'0', _, ..] => u64::from_str_radix(&digits[1..], 8),
            _ => digits.parse(),
        };
        value.map(Kind::Int).map_err(|_| wrong())
    }
}
