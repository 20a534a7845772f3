//! Bodies of answers: whole, or a stream that goes on.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body::{Frame, SizeHint};

/// A stream of pieces of a body; it ends with none.
pub type Stream = Pin<Box<dyn futures_util::Stream<Item = Bytes> + Send>>;

/// A stream of pieces that may break off. Its connection is cut then, so that nobody takes the pieces for the whole.
pub type Pieces = Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, Broken>> + Send>>;

/// A body that could not be made to its end; why is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the body broke off")
    }
}

impl std::error::Error for Broken {}

/// The body of an answer.
pub enum Body {
    /// All of it at hand; none once it was taken.
    Whole(Option<Bytes>),
    /// Made as it is sent.
    Stream(Stream),
    /// Made as it is sent, by something that may fail.
    Pieces(Pieces),
}

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self::Whole(None)
    }

    /// How many bytes it has, where that is known.
    #[must_use]
    pub fn length(&self) -> Option<usize> {
        match self {
            Self::Whole(bytes) => Some(bytes.as_ref().map_or(0, Bytes::len)),
            Self::Stream(_) | Self::Pieces(_) => None,
        }
    }

    /// Its pieces, where it is made as it is sent; the body itself where it is at hand.
    ///
    /// # Errors
    /// Not a fault: a body at hand.
    pub fn into_pieces(self) -> Result<Pieces, Self> {
        match self {
            Self::Whole(bytes) => Err(Self::Whole(bytes)),
            Self::Stream(stream) => Ok(Box::pin(stream.map(Ok))),
            Self::Pieces(pieces) => Ok(pieces),
        }
    }

    /// The same body; where it is made as it is sent, the guard lives as long.
    #[must_use]
    pub fn with_guard(self, guard: impl Send + 'static) -> Self {
        match self.into_pieces() {
            Err(whole) => whole,
            Ok(pieces) => Self::Pieces(Box::pin(pieces.inspect(move |_| {
                let _ = &guard;
            }))),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Whole((!bytes.is_empty()).then(|| bytes.into()))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => {
                stream.as_mut().poll_next(context).map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Pieces(pieces) => {
                pieces.as_mut().poll_next(context).map(|next| next.map(|bytes| bytes.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self.length() {
            Some(length) => SizeHint::with_exact(length as u64),
            None => SizeHint::default(),
        }
    }
}
