//! What hyper answers by itself, before there is a request: a bare status. It becomes a problem on its way out.

use std::{net::IpAddr, sync::Arc};

/// Makes the whole answer for a status, and notes it in the log.
pub(crate) type Refusals = Arc<dyn Fn(IpAddr, u16) -> Vec<u8> + Send + Sync>;

/// The longest of hyper's own answers: a status line and three headers.
const LONGEST: usize = 256;

/// The status of an answer that is hyper's own: all of ours have an id.
pub(super) fn bare_status(bytes: &[u8]) -> Option<u16> {
    if bytes.len() > LONGEST || !bytes.starts_with(b"HTTP/1.1 4") || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let ours = text.contains("x-request-id:");
    text.get(9..12).filter(|_| !ours)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_no_id_is_a_bare_answer() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        assert_eq!(bare_status(bare), Some(431));
        for other in [
            &b"HTTP/1.1 404 Not Found\r\nx-request-id: a\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 4",
        ] {
            assert_eq!(bare_status(other), None);
        }
    }
}
