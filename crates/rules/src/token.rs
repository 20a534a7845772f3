//! CEL text to tokens with their places.

use std::ops::Range;

use crate::expression::Mistake;

/// A token and its byte range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Range<usize>,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    /// A name or a word such as `true`, `null` or `in`.
    Word(String),
    /// A whole number without its sign.
    Integer(u64),
    /// A number with a point or an exponent, as written.
    Float(String),
    /// A string, its escapes resolved.
    Text(String),
    /// An operator or a bracket.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

/// Every symbol of the language, longer ones before their prefixes.
const SYMBOLS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "?", ":", "+", "-", "*", "/", "%", "(", ")", "[", "]", "{", "}",
    ".", ",", "=",
];

/// Splits a text into tokens, the last of them [`TokenKind::End`]; linear in its length.
pub(crate) fn tokenize(text: &str) -> Result<Vec<Token>, Mistake> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let start = lexer.at;
        let kind = lexer.token()?;
        let done = kind == TokenKind::End;
        tokens.push(Token { kind, span: start..lexer.at });
        if done {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// White space, and comments from `//` to the end of the line.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']).len();
            if !self.rest().starts_with("//") {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn token(&mut self) -> Result<TokenKind, Mistake> {
        if self.at == self.text.len() {
            return Ok(TokenKind::End);
        }
        let byte = self.byte(0);
        if byte.is_ascii_digit() || (byte == b'.' && self.byte(1).is_ascii_digit()) {
            return self.number();
        }
        if byte == b'"' || byte == b'\'' {
            return self.string(false);
        }
        if byte.is_ascii_alphabetic() || byte == b'_' {
            return self.word();
        }
        if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| self.rest().starts_with(symbol)) {
            self.at += symbol.len();
            return Ok(TokenKind::Symbol(symbol));
        }
        let Some(character) = self.rest().chars().next() else { return Ok(TokenKind::End) };
        let span = self.at..self.at + character.len_utf8();
        let help = match character {
            '&' | '|' => Some(format!("write `{character}{character}`")),
            _ => None,
        };
        Err(Mistake { span, message: format!("unexpected character {character:?}"), help })
    }

    fn word(&mut self) -> Result<TokenKind, Mistake> {
        let start = self.at;
        let length = self.rest().bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let word = &self.rest()[..length];
        if matches!(self.byte(length), b'"' | b'\'') && word.len() <= 2 {
            let lower = word.to_ascii_lowercase();
            if lower.chars().all(|letter| letter == 'r' || letter == 'b') {
                if lower.contains('b') {
                    return Err(Mistake::new(start..start + length, "bytes aren't supported"));
                }
                self.at += length;
                return self.string(true);
            }
        }
        self.at += length;
        Ok(TokenKind::Word(word.to_owned()))
    }

    fn digits(&mut self) {
        self.at += self.rest().bytes().take_while(u8::is_ascii_digit).count();
    }

    fn number(&mut self) -> Result<TokenKind, Mistake> {
        let start = self.at;
        let too_large = |end| Mistake::new(start..end, "the number doesn't fit into 64 bits");
        if self.byte(0) == b'0' && matches!(self.byte(1), b'x' | b'X') {
            self.at += 2;
            let length = self.rest().bytes().take_while(u8::is_ascii_hexdigit).count();
            let digits = &self.rest()[..length];
            self.at += length;
            self.no_letter_follows(start)?;
            if digits.is_empty() {
                return Err(Mistake::new(start..self.at, "hexadecimal digits expected after `0x`"));
            }
            return u64::from_str_radix(digits, 16).map(TokenKind::Integer).map_err(|_| too_large(self.at));
        }
        self.digits();
        let mut float = false;
        if self.byte(0) == b'.' && self.byte(1).is_ascii_digit() {
            float = true;
            self.at += 1;
            self.digits();
        }
        if matches!(self.byte(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
            if self.byte(1 + sign).is_ascii_digit() {
                float = true;
                self.at += 1 + sign;
                self.digits();
            }
        }
        let written = &self.text[start..self.at];
        self.no_letter_follows(start)?;
        if float {
            return Ok(TokenKind::Float(written.to_owned()));
        }
        written.parse().map(TokenKind::Integer).map_err(|_| too_large(self.at))
    }

    fn no_letter_follows(&self, start: usize) -> Result<(), Mistake> {
        let length = self.rest().bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if length == 0 {
            return Ok(());
        }
        let span = start..self.at + length;
        if matches!(self.byte(0), b'u' | b'U') && length == 1 {
            return Err(Mistake::new(span, "unsigned numbers aren't supported").help("leave the `u` out"));
        }
        Err(Mistake::new(span, "a number can't be followed by letters"))
    }

    fn string(&mut self, raw: bool) -> Result<TokenKind, Mistake> {
        let start = self.at;
        let quote = self.byte(0) as char;
        let triple: String = std::iter::repeat_n(quote, 3).collect();
        let closing = if self.rest().starts_with(&triple) { triple } else { quote.to_string() };
        self.at += closing.len();
        let unclosed = |at| Mistake::new(start..at, format!("the string is never closed: {closing} expected"));
        let mut text = String::new();
        loop {
            if self.rest().starts_with(&closing) {
                self.at += closing.len();
                break;
            }
            match self.rest().chars().next() {
                None => return Err(unclosed(self.at)),
                Some('\n' | '\r') if closing.len() == 1 => return Err(unclosed(self.at)),
                Some('\\') if !raw => text.push(self.escape()?),
                Some(character) => {
                    self.at += character.len_utf8();
                    text.push(character);
                }
            }
        }
        if text.contains('\0') {
            // PostgreSQL can't hold it, so no record can be like it.
            return Err(Mistake::new(start..self.at, "a string can't contain NUL"));
        }
        Ok(TokenKind::Text(text))
    }

    /// One escape sequence, from its backslash on.
    fn escape(&mut self) -> Result<char, Mistake> {
        let start = self.at;
        let letter = self.rest()[1..].chars().next().unwrap_or(' ');
        self.at += 1 + letter.len_utf8().min(self.rest().len() - 1);
        let simple = match letter {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' | '?' | '"' | '\'' | '`' => letter,
            'x' | 'X' => return self.code_point(start, 2, 16),
            'u' => return self.code_point(start, 4, 16),
            'U' => return self.code_point(start, 8, 16),
            '0'..='3' => {
                self.at -= 1;
                return self.code_point(start, 3, 8);
            }
            _ => {
                return Err(Mistake::new(start..self.at, "unknown escape").help("write `\\\\` for a backslash"));
            }
        };
        Ok(simple)
    }

    fn code_point(&mut self, start: usize, length: usize, radix: u32) -> Result<char, Mistake> {
        let digits = self.rest().bytes().take(length).take_while(|byte| (*byte as char).is_digit(radix)).count();
        let code = u32::from_str_radix(&self.rest()[..digits], radix);
        self.at += digits;
        match code.ok().and_then(char::from_u32) {
            Some(character) if digits == length => Ok(character),
            _ => Err(Mistake::new(start..self.at, format!("{length} digits of a Unicode code point expected"))),
        }
    }
}
