//! The socket of a connection, on which nobody may wait for ever: a client that is too slow is dropped, so that it holds
//! neither memory nor a place.

use std::{
    any::Any,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep, sleep_until},
};

use super::{
    head::{Head, Speaks},
    refused::bare_status,
    wire::Wire,
};

/// How long a client that was refused may go on sending, so that it gets to read the answer.
const LINGERING: Duration = Duration::from_secs(2);

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the first byte of a head, or from the connection, to the end of the head.
    pub(crate) head: Duration,
    /// Between requests.
    pub(crate) idle: Duration,
    /// To read a piece of an answer.
    pub(crate) write: Duration,
}

/// A socket with limits of time.
pub(crate) struct Patient {
    stream: TcpStream,
    wire: Arc<Wire>,
    limits: Limits,
    refuse: Box<dyn Fn(u16) -> Vec<u8> + Send>,
    /// Runs while a write waits.
    writing: Option<Pin<Box<Sleep>>>,
    /// When to look whether reading has waited too long; it may be early, never late.
    reading: Pin<Box<Sleep>>,
    speaks: Speaks,
    head: Head,
    /// When the head that is being read began.
    head_since: Option<Instant>,
    /// The requests that had begun by then.
    begun: u64,
    /// What is sent instead of hyper's own answer, and how much of it has been.
    refusal: Vec<u8>,
    sent: usize,
    /// Runs while what a refused client still sends is read and forgotten.
    lingering: Option<Pin<Box<Sleep>>>,
    /// Lives as long as the socket.
    _held: Box<dyn Any + Send>,
}

impl Patient {
    pub(crate) fn new(
        stream: TcpStream,
        wire: Arc<Wire>,
        limits: Limits,
        refuse: Box<dyn Fn(u16) -> Vec<u8> + Send>,
        held: Box<dyn Any + Send>,
    ) -> Self {
        Self {
            stream,
            wire,
            limits,
            refuse,
            writing: None,
            reading: Box::pin(sleep(limits.head)),
            speaks: Speaks::Unknown(0),
            head: Head::default(),
            head_since: None,
            begun: 0,
            refusal: Vec::new(),
            sent: 0,
            lingering: None,
            _held: held,
        }
    }

    /// Looks at bytes that came while no request is under way: those of a head.
    fn came(&mut self, bytes: &[u8]) {
        self.speaks = self.speaks.after(bytes);
        let begun = self.wire.begun();
        if begun != self.begun {
            self.begun = begun;
            self.head = Head::default();
            self.head_since = None;
        }
        if self.speaks == Speaks::Http2 {
            self.head_since = None;
            return;
        }
        self.head_since.get_or_insert_with(Instant::now);
        if self.head.feed(bytes) {
            self.wire.mark_both();
        }
    }

    /// Nothing comes: an error where it should have come by now, and the end of a connection that is idle for too long.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(idle_since) = self.wire.idle_since() else { return Poll::Pending };
        let begun = self.wire.begun();
        let head_since = self.head_since.filter(|_| begun == self.begun);
        // Whoever has never asked for anything is on the way to his first request.
        let late = head_since.or((begun == 0).then_some(idle_since)).map(|since| since + self.limits.head);
        let due = late.unwrap_or(idle_since + self.limits.idle);
        if self.reading.deadline() > due {
            self.reading.as_mut().reset(due);
        }
        while self.reading.as_mut().poll(context).is_ready() {
            if Instant::now() < due {
                self.reading.as_mut().reset(due);
                continue;
            }
            if late.is_some() && self.speaks != Speaks::Http2 {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the request took too long to come")));
            }
            self.wire.close();
            return Poll::Pending;
        }
        Poll::Pending
    }

    /// What a write came to; an error where it has waited too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let limit = self.limits.write;
        let writing = self.writing.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(writing.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client has stopped reading")))
    }

    /// Whether these bytes are hyper's own answer, for which ours is sent.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        let Some(status) = bare_status(bytes).filter(|_| self.refusal.is_empty()) else { return false };
        // hyper counts the head as a whole, and calls a URL that fills it headers that are too many.
        let status = if status == 431 && self.head.is_in_request_line() { 414 } else { status };
        self.refusal = (self.refuse)(status);
        true
    }

    /// Sends what is left of our answer.
    fn send_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.refusal.len() {
            let written = Pin::new(&mut self.stream).poll_write(context, &self.refusal[self.sent..]);
            self.sent += ready!(self.watch(context, written))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads and forgets what a refused client still sends: a socket that is closed over unread bytes takes the answer
    /// back.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let until = self.lingering.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + LINGERING)));
        let mut space = [0; 4096];
        while until.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(outcome) => {
                let bytes = &buffer.filled()[before..];
                if !bytes.is_empty() && self.wire.idle_since().is_some() {
                    self.came(bytes);
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => self.wait(context),
        }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.send_refusal(context))?;
        if self.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.send_refusal(context))?;
        let mut filled = pieces.iter().filter(|piece| !piece.is_empty());
        if let (Some(only), None) = (filled.next(), filled.next())
            && self.replaces(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.send_refusal(context))?;
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.send_refusal(context))?;
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        if self.refusal.is_empty() { Poll::Ready(Ok(())) } else { self.linger(context) }
    }
}

#[cfg(test)]
mod tests;
