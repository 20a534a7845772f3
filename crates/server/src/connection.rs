//! One connection, from its first byte to its last: HTTP/1.1 or HTTP/2 by what the client begins with.

mod head;
mod patient;
mod refused;
mod wire;

use std::{any::Any, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use http::{Request, Version, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use web::{Ambiguous, Body, Manners};

pub(crate) use self::{
    patient::{Limits, Patient},
    refused::Refusals,
    wire::Wire,
};

/// The most bytes of a request's headers.
pub(crate) const HEADERS: usize = 32 << 10;
/// How long a client may take for the headers of a request, from their first byte.
const HEAD: Duration = Duration::from_secs(15);
/// How long a connection may be open between requests.
const IDLE: Duration = Duration::from_secs(75);
/// How long a client may leave a piece of an answer unread.
const WRITE: Duration = Duration::from_secs(30);
/// How long a connection that is to end may take to end.
const ENDING: Duration = Duration::from_secs(10);
/// Requests of one HTTP/2 connection that may be under way.
const STREAMS: u32 = 128;
/// How many streams an HTTP/2 client may open and reset before we have seen them (CVE-2023-44487).
const RESETS: usize = 32;
/// How many streams we may have to reset for an HTTP/2 client's faults.
const FAULTS: usize = 256;
/// What an HTTP/2 client may send unread: of one body, and of all of its connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// What waits to be sent of one HTTP/2 answer.
const SEND_BUFFER: usize = 128 << 10;
/// After how much silence an HTTP/2 client is asked whether it is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(30);

/// Serves a connection until either side ends it.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    manners: Arc<Manners>,
    refusals: Refusals,
    wire: Arc<Wire>,
    held: Box<dyn Any + Send>,
    stop: CancellationToken,
) {
    settle(&stream);
    // What lives as long as the socket, also after it has been handed to another protocol.
    let held = Box::new((held, manners.metrics.connected()));
    let limits = Limits { head: HEAD, idle: IDLE, write: WRITE };
    let refuse = move |status| refusals(peer.ip(), status);
    let patient = Patient::new(stream, Arc::clone(&wire), limits, Box::new(refuse), held);
    let service = service_fn(|request| {
        let (manners, wire) = (Arc::clone(&manners), Arc::clone(&wire));
        async move { Ok::<_, std::convert::Infallible>(answer(&manners, &wire, request, peer).await) }
    });
    let builder = builder();
    let mut serving = pin!(builder.serve_connection_with_upgrades(TokioIo::new(patient), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
        () = wire.closing() => {
            serving.as_mut().graceful_shutdown();
            // What does not end by then waits for a client that does not read.
            match tokio::time::timeout(ENDING, serving).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended badly");
    }
}

async fn answer(
    manners: &Manners,
    wire: &Arc<Wire>,
    mut request: Request<Incoming>,
    peer: SocketAddr,
) -> http::Response<Body> {
    let going = wire.begin();
    let http2 = request.version() == Version::HTTP_2;
    if wire.take_both() && request.headers().contains_key(header::TRANSFER_ENCODING) {
        request.extensions_mut().insert(Ambiguous);
    }
    let reply = manners.serve(request, peer.ip()).await;
    if reply.status() == http::StatusCode::SWITCHING_PROTOCOLS {
        wire.hand_over();
    }
    // The flow control of HTTP/2 is below us: only that nobody asks for more shows that the client does not read.
    let watch = |body: Body| match body.into_pieces() {
        Ok(pieces) if http2 => Body::Pieces(wire::watched(pieces, wire, WRITE)),
        Ok(pieces) => Body::Pieces(pieces),
        Err(whole) => whole,
    };
    reply.map(|body| watch(body).with_guard(going))
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Times are kept by `Patient`, which knows the difference between a slow request and none.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEADERS * 4);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADERS as u32 * 2)
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(FAULTS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

/// Options of the socket. None of them is worth refusing a client for.
fn settle(stream: &TcpStream) {
    // Answers are written whole, so nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let socket = socket2::SockRef::from(stream);
    // A client that is gone without a word is found out by the system.
    let alive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    let _ = socket.set_tcp_keepalive(&alive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(90)));
}
