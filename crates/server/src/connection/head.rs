//! The bytes of a request's head as they come: where it ends, and whether it says in two ways how long the body is.
//!
//! hyper takes such a request as chunked, as RFC 9112 (6.1) allows, and drops the other header, so that nobody above it
//! can tell; a proxy on the way may have taken the other one, and then somebody's body is somebody else's request.

/// How a client of HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const TRANSFER: &[u8] = b"transfer-encoding";
const LENGTH: &[u8] = b"content-length";

/// Which version a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// This many bytes of the preface have come, and nothing else.
    Unknown(usize),
    Http1,
    Http2,
}

impl Speaks {
    pub(super) fn after(self, bytes: &[u8]) -> Self {
        let Self::Unknown(matched) = self else { return self };
        let rest = &PREFACE[matched..];
        let common = rest.len().min(bytes.len());
        match rest[..common] == bytes[..common] {
            true if common == rest.len() => Self::Http2,
            true => Self::Unknown(matched + common),
            false => Self::Http1,
        }
    }
}

/// Reads the head of a request, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// How the line that is being read begins: as much as the longer name takes, and the colon.
    line: [u8; TRANSFER.len() + 1],
    filled: usize,
    transfer: bool,
    length: bool,
    /// Whether the request line has come, whole.
    asked: bool,
    ended: bool,
}

impl Head {
    /// Takes a piece. True once both headers have been seen.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while !self.ended && !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            let taken = line.len().min(self.line.len() - self.filled);
            self.line[self.filled..self.filled + taken].copy_from_slice(&line[..taken]);
            self.filled += taken;
            if end.is_none() {
                break;
            }
            self.end_line();
            bytes = &rest[1..];
        }
        self.transfer && self.length
    }

    /// Whether what has come is a part of the request line, so that it is the URL which is long.
    pub(super) fn is_in_request_line(&self) -> bool {
        !self.asked && self.filled > 0
    }

    fn end_line(&mut self) {
        let line = &self.line[..self.filled];
        let is = |name: &[u8]| {
            line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name) && line[name.len()] == b':'
        };
        self.transfer |= is(TRANSFER);
        self.length |= is(LENGTH);
        // Empty lines before the request line are no end (RFC 9112, 2.2); a second head would begin anew anyway.
        self.ended = matches!(line, b"" | b"\r");
        self.asked |= !self.ended;
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_are_seen_however_the_bytes_come() {
        let both = "POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: 5\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n";
        let one = "POST / HTTP/1.1\r\nX-Content-Length: 5\r\nContent-Length-X: 1\r\nTransfer-Encoding: chunked\r\n\r\nContent-Length: 5\r\n";
        for size in 1..both.len() {
            let mut head = Head::default();
            assert!(both.as_bytes().chunks(size).fold(false, |_, piece| head.feed(piece)), "{size}");
            let mut head = Head::default();
            assert!(!one.as_bytes().chunks(size).fold(false, |_, piece| head.feed(piece)), "{size}");
        }
    }

    #[test]
    fn the_request_line_ends_where_it_ends() {
        for (pieces, within) in [
            (&["GET /aaaa", "aaaa"][..], true),
            (&["\r\n"], false),
            (&["GET / HTTP/1.1\r\n"], false),
            (&["GET / HTTP/1.1\r\nX: aaaa"], false),
        ] {
            let mut head = Head::default();
            for piece in pieces {
                head.feed(piece.as_bytes());
            }
            assert_eq!(head.is_in_request_line(), within, "{pieces:?}");
        }
    }

    #[test]
    fn a_connection_speaks_what_it_begins_with() {
        for (pieces, speaks) in [
            (&["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"][..], Speaks::Http2),
            (&["PRI * HTTP/2.0\r\n", "\r\nSM\r\n", "\r\n"], Speaks::Http2),
            (&["P", "R"], Speaks::Unknown(2)),
            (&["P", "OST"], Speaks::Http1),
            (&["GET"], Speaks::Http1),
        ] {
            let found = pieces.iter().fold(Speaks::Unknown(0), |speaks, piece| speaks.after(piece.as_bytes()));
            assert_eq!(found, speaks, "{pieces:?}");
        }
    }
}
