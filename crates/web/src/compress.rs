//! Answers made smaller, whole or while they are streamed.

use std::{
    io::{self, Write as _},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use flate2::write::GzEncoder;
use futures_util::stream;
use http::{HeaderValue, Method, Response, StatusCode, header};

use crate::{
    body::{Body, Broken, Pieces},
    coding::{self, Coding, Preference},
    tags, vary,
};

/// Bodies of fewer bytes fit into one packet anyway, and are sent as they are.
const LEAST: usize = 512;
/// Bodies up to this size are compressed at once; larger ones piece by piece, so that they hold up nobody.
const AT_ONCE: usize = 256 << 10;
/// The size of such a piece.
const PIECE: usize = 32 << 10;
/// How much of a stream is gathered before it is passed on, unless there is nothing to gather.
const GATHERED: usize = 16 << 10;
/// Levels: beyond them time grows faster than bodies shrink.
const GZIP_LEVEL: u32 = 5;
const ZSTD_LEVEL: i32 = 3;
/// Bounds the memory of a stream's compressor: a window of 512 KB, two to the power of this.
const ZSTD_WINDOW: u32 = 19;

/// Gives an answer the coding that its reader likes best, where it is worth one; says in `Vary` what that hangs on, and
/// gives its entity tag the coding's mark, since a strong tag may not stand for two bodies (RFC 9110, 8.8.1).
pub(crate) fn compress(method: &Method, preference: Preference, reply: &mut Response<Body>) {
    if reply.status() == StatusCode::NOT_MODIFIED {
        // What the answer would have had (RFC 9110, 15.4.5): a cache takes this for the headers of what it keeps.
        vary::add(reply.headers_mut(), "Accept-Encoding");
        return;
    }
    if !may_be_coded(reply) {
        return;
    }
    vary::add(reply.headers_mut(), "Accept-Encoding");
    let Some(coding) = preference.best() else { return };
    let head = *method == Method::HEAD;
    let announced =
        || reply.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let length: Option<usize> = match reply.body().length() {
        Some(0) | None if head => announced(),
        length => length,
    };
    if preference.takes_identity() && length.is_some_and(|length| length < LEAST) || length == Some(0) {
        return;
    }
    if !head {
        let body = std::mem::replace(reply.body_mut(), Body::empty());
        match encode(coding, body) {
            Ok(coded) => *reply.body_mut() = coded,
            Err(body) => {
                *reply.body_mut() = body;
                return;
            }
        }
    }
    let headers = reply.headers_mut();
    // For HEAD it would be that of the body before it was compressed.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::ACCEPT_RANGES);
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    if matches!(*method, Method::GET | Method::HEAD) {
        tags::mark(headers, coding);
    }
}

fn may_be_coded(reply: &Response<Body>) -> bool {
    let headers = reply.headers();
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
    reply.status() != StatusCode::PARTIAL_CONTENT
        && coding::shrinks(text(header::CONTENT_TYPE))
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && !text(header::CACHE_CONTROL).contains("no-transform")
}

/// Whether an answer carries secrets beside what a stranger may have written: its length should tell nothing of them
/// (BREACH), so it is never compressed.
pub(crate) fn is_secret(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    path.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("auth/"))
}

/// The body in a coding; the body itself where that can't be made.
fn encode(coding: Coding, body: Body) -> Result<Body, Body> {
    match body {
        Body::Whole(Some(bytes)) if bytes.len() <= AT_ONCE => match at_once(coding, &bytes) {
            Ok(coded) => Ok(coded.into()),
            Err(_) => Err(Body::Whole(Some(bytes))),
        },
        Body::Whole(Some(bytes)) => {
            let pieces = stream::unfold(bytes, |mut rest| async move {
                let piece = rest.split_to(rest.len().min(PIECE));
                (!piece.is_empty()).then_some((piece, rest))
            });
            encode(coding, Body::Stream(Box::pin(pieces)))
        }
        body => {
            let Ok(encoder) = Encoder::new(coding) else { return Err(body) };
            let inner = body.into_pieces()?;
            Ok(Body::Pieces(Box::pin(Coded { going: Some((inner, encoder)), unsent: false })))
        }
    }
}

fn at_once(coding: Coding, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match coding {
        Coding::Zstd => zstd::bulk::compress(bytes, ZSTD_LEVEL),
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), flate2::Compression::new(GZIP_LEVEL));
            encoder.write_all(bytes)?;
            encoder.finish()
        }
    }
}

/// A compressor whose output gathers in a vector.
enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL))),
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(ZSTD_WINDOW)?;
                Self::Zstd(encoder)
            }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// Lets out what it holds back.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }

    fn gathered(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let gathered = std::mem::take(self.gathered());
        (!gathered.is_empty()).then(|| gathered.into())
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

/// A stream while it is compressed. What is ready is compressed together; as soon as there is nothing more at the moment,
/// what was held back goes out, so that no reader waits for bytes that are there.
struct Coded {
    /// None after the end.
    going: Option<(Pieces, Encoder)>,
    /// Whether the compressor holds anything back.
    unsent: bool,
}

impl Coded {
    /// Ends the stream with what is left.
    fn end(&mut self) -> Option<Result<Bytes, Broken>> {
        let (_, encoder) = self.going.take()?;
        Some(encoder.finish().map(Bytes::from).map_err(|_| Broken))
    }

    fn cut(&mut self, broken: Broken) -> Poll<Option<Result<Bytes, Broken>>> {
        self.going = None;
        Poll::Ready(Some(Err(broken)))
    }
}

impl futures_util::Stream for Coded {
    type Item = Result<Bytes, Broken>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let Some((inner, encoder)) = &mut this.going else { return Poll::Ready(None) };
            match inner.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => {
                    if encoder.write(&bytes).is_err() {
                        return this.cut(Broken);
                    }
                    this.unsent = true;
                    if encoder.gathered().len() >= GATHERED {
                        return Poll::Ready(encoder.take().map(Ok));
                    }
                }
                Poll::Ready(Some(Err(broken))) => return this.cut(broken),
                Poll::Ready(None) => return Poll::Ready(this.end()),
                Poll::Pending if this.unsent => {
                    this.unsent = false;
                    if encoder.flush().is_err() {
                        return this.cut(Broken);
                    }
                    if let Some(bytes) = encoder.take() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use futures_util::StreamExt as _;

    use super::*;

    type Decode = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

    fn read(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).map(|_| ()),
            Coding::Zstd => zstd::stream::copy_decode(bytes, &mut out),
        }
        .unwrap();
        out
    }

    async fn collect(body: Body) -> Vec<u8> {
        match body {
            Body::Whole(bytes) => bytes.unwrap_or_default().to_vec(),
            body => {
                let Ok(pieces) = body.into_pieces() else { panic!() };
                pieces.map(Result::unwrap).collect::<Vec<Bytes>>().await.concat()
            }
        }
    }

    #[tokio::test]
    async fn bodies_of_any_length_come_back_as_they_were() {
        for length in [1, LEAST, AT_ONCE, AT_ONCE + 1, 3 << 20] {
            let bytes: Vec<u8> = (0..length).map(|at| (at * at % 251) as u8).collect();
            for coding in Coding::ALL {
                let Ok(coded) = encode(coding, bytes.clone().into()) else { panic!("{length}") };
                assert_eq!(read(coding, &collect(coded).await), bytes, "{coding:?} {length}");
            }
        }
    }

    #[tokio::test]
    async fn a_stream_that_pauses_lets_out_what_it_has() {
        for coding in Coding::ALL {
            let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
            let pieces =
                stream::unfold(receiver, |mut from| async move { from.recv().await.map(|piece| (piece, from)) });
            let Ok(Body::Pieces(mut coded)) = encode(coding, Body::Stream(Box::pin(pieces))) else { panic!() };
            let mut all = Vec::new();
            let mut decoder: Decode = match coding {
                Coding::Gzip => {
                    let mut inner = flate2::write::GzDecoder::new(Vec::new());
                    Box::new(move |bytes| {
                        inner.write_all(bytes).unwrap();
                        inner.flush().unwrap();
                        std::mem::take(inner.get_mut())
                    })
                }
                Coding::Zstd => {
                    let mut inner = zstd::stream::write::Decoder::new(Vec::new()).unwrap();
                    Box::new(move |bytes| {
                        inner.write_all(bytes).unwrap();
                        inner.flush().unwrap();
                        std::mem::take(inner.get_mut())
                    })
                }
            };
            for row in ["{\"a\":1}\n", "{\"b\":2}\n"] {
                sender.send(row.into()).unwrap();
                all.extend(decoder(&coded.next().await.unwrap().unwrap()));
                assert!(all.ends_with(row.as_bytes()), "{coding:?}: {row} did not come at once");
            }
            drop(sender);
            while let Some(piece) = coded.next().await {
                all.extend(decoder(&piece.unwrap()));
            }
            assert_eq!(all, b"{\"a\":1}\n{\"b\":2}\n");
        }
    }
}
