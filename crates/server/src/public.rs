//! The app's own pages: the files of `public/`, at `/`.
//!
//! What is served is a regular file below the directory, whatever a path says: no segment that begins with a dot (but
//! `.well-known`), no link that leads out. The type is told by the name, and never guessed by the client (`nosniff`).

use std::{
    fs::{File, Metadata},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use model::Problem;
use percent_encoding::percent_decode_str;
use web::{Body, Request, preconditions};

use crate::mount::readable;

/// What is read of a large file at a time, and up to what length a file is sent in one piece: bytes.
const PIECE: u64 = 256 << 10;

/// First segments of paths that belong to the program, whatever files there are.
const RESERVED: &[&str] = &[
    "_",
    "api",
    "auth",
    "docs",
    "files",
    "fn",
    "graphql",
    "livez",
    "metrics",
    "openapi.json",
    "problems",
    "readyz",
    "realtime",
];

/// The files of a directory.
pub(crate) struct Public {
    root: PathBuf,
}

/// A file to be sent.
struct Found {
    file: File,
    length: u64,
    tag: String,
    r#type: String,
}

/// What a path leads to.
enum Place {
    File(Box<Found>),
    /// A directory with an index, asked for without the slash.
    Elsewhere(String),
    Nothing,
}

impl Public {
    /// Serves what is in a directory, which may come and go.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Answers a request for a path that is no one else's; none where there is no file for it.
    ///
    /// # Errors
    /// 405 for another method than GET, HEAD and OPTIONS where there is a file, 416 for a range that it has not.
    pub(crate) async fn answer(&self, request: &Request<'_>) -> Result<Option<Response<Body>>, Problem> {
        let Some(relative) = relative(request.path) else { return Ok(None) };
        let (root, path) = (self.root.clone(), request.path.to_owned());
        let place = tokio::task::spawn_blocking(move || find(&root, &relative, &path)).await;
        let found = match place.map_err(|_| Problem::internal("looking for a file panicked"))? {
            Ok(Place::File(found)) => found,
            Ok(Place::Elsewhere(location)) => return Ok(Some(moved(&location))),
            Ok(Place::Nothing) | Err(_) => return Ok(None),
        };
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return readable(request, || Err(Problem::not_found())).map(Some);
        }
        send(*found, request).await.map(Some)
    }
}

/// Whether a path may be a file's: it belongs to no one else.
pub(crate) fn is_free(path: &str) -> bool {
    path != "/.well-known/jwks.json" && relative(path).is_some()
}

/// The path below the directory; none for one that can't be a file's.
fn relative(path: &str) -> Option<PathBuf> {
    let decoded = percent_decode_str(path.strip_prefix('/')?).decode_utf8().ok()?;
    let mut relative = PathBuf::new();
    let mut segments = decoded.split('/').peekable();
    if segments.peek().is_some_and(|first| RESERVED.contains(first)) {
        return None;
    }
    while let Some(segment) = segments.next() {
        if segment.is_empty() {
            // Only behind the last slash.
            return segments.peek().is_none().then(|| relative.join("index.html"));
        }
        let hidden = segment.starts_with('.') && segment != ".well-known";
        if hidden || segment.contains(['\\', '\0', ':']) {
            return None;
        }
        relative.push(segment);
    }
    Some(relative)
}

fn find(root: &Path, relative: &Path, path: &str) -> io::Result<Place> {
    let root = root.canonicalize()?;
    let mut wanted = root.join(relative);
    if wanted.is_dir() {
        return Ok(match wanted.join("index.html").is_file() {
            true => Place::Elsewhere(format!("{path}/")),
            false => Place::Nothing,
        });
    }
    // `/profile` is `profile.html`.
    if !wanted.exists() && wanted.extension().is_none() {
        wanted.set_extension("html");
    }
    let real = wanted.canonicalize()?;
    if !real.starts_with(&root) {
        return Ok(Place::Nothing);
    }
    let file = File::open(&real)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Place::Nothing);
    }
    let guess = mime_guess::from_path(&real).first_or_octet_stream();
    let text = guess.type_() == mime_guess::mime::TEXT || guess.essence_str() == "application/javascript";
    let r#type = if text { format!("{}; charset=utf-8", guess.essence_str()) } else { guess.essence_str().to_owned() };
    Ok(Place::File(Box::new(Found { length: metadata.len(), tag: tag(&metadata), r#type, file })))
}

/// Differs when the file was written: its time and length.
fn tag(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("\"{:x}-{:x}\"", modified.as_nanos(), metadata.len())
}

fn moved(location: &str) -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(location) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    reply
}

async fn send(found: Found, request: &Request<'_>) -> Result<Response<Body>, Problem> {
    let Found { file, length, tag, r#type } = found;
    let mut reply = Response::new(Body::empty());
    let headers = reply.headers_mut();
    let mut put = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(header::ETAG, &tag);
    put(header::CACHE_CONTROL, "no-cache");
    put(header::ACCEPT_RANGES, "bytes");
    if preconditions::is_known(request.headers, &tag) {
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(reply);
    }
    put(header::CONTENT_TYPE, &r#type);
    let (start, end) = match range(request.headers, &tag, length) {
        Wanted::All => (0, length),
        Wanted::Part(start, end) => {
            put(header::CONTENT_RANGE, &format!("bytes {start}-{}/{length}", end - 1));
            *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
            (start, end)
        }
        Wanted::Impossible => {
            put(header::CONTENT_RANGE, &format!("bytes */{length}"));
            put(header::CONTENT_TYPE, "text/plain; charset=utf-8");
            *reply.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            return Ok(reply);
        }
    };
    reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
    if request.method == Method::HEAD {
        return Ok(reply);
    }
    let failed = |error: io::Error| Problem::internal(format!("failed to read a file of public/: {error}"));
    let reader = Reader { file, at: start, end };
    if end - start <= PIECE {
        let (_, piece) = reader.next().await.map_err(failed)?;
        *reply.body_mut() = piece.map_or_else(Body::empty, |piece| Body::Whole(Some(piece)));
        return Ok(reply);
    }
    let pieces = stream::unfold(Some(reader), |reader| async move {
        // A file that breaks off ends the stream before its announced length, which the client sees.
        let (reader, piece) = reader?.next().await.ok()?;
        piece.map(|piece| (piece, Some(reader)))
    });
    *reply.body_mut() = Body::Stream(Box::pin(pieces));
    Ok(reply)
}

/// Reads a part of a file, piece by piece.
struct Reader {
    file: File,
    at: u64,
    end: u64,
}

impl Reader {
    async fn next(mut self) -> io::Result<(Self, Option<Bytes>)> {
        if self.at >= self.end {
            return Ok((self, None));
        }
        let read = tokio::task::spawn_blocking(move || {
            let length = (self.end - self.at).min(PIECE);
            let mut piece = vec![0; length as usize];
            self.file.seek(SeekFrom::Start(self.at))?;
            self.file.read_exact(&mut piece)?;
            self.at += length;
            Ok((self, Some(Bytes::from(piece))))
        });
        read.await.map_err(io::Error::other)?
    }
}

/// Which bytes are asked for; the end is behind the last.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(u64, u64),
    Impossible,
}

/// One range of bytes (RFC 9110, 14.2). Several at once, or what is no range, is answered with all.
fn range(headers: &HeaderMap, tag: &str, length: u64) -> Wanted {
    let Some(range) = headers.get(header::RANGE).and_then(|range| range.to_str().ok()) else { return Wanted::All };
    if headers.get(header::IF_RANGE).is_some_and(|known| known.as_bytes() != tag.as_bytes()) {
        return Wanted::All;
    }
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::All;
    };
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match (number(first), number(last), first.is_empty(), last.is_empty()) {
        (Some(start), None, _, true) if start < length => Wanted::Part(start, length),
        (Some(start), Some(last), ..) if start <= last && start < length => {
            Wanted::Part(start, length.min(last.saturating_add(1)))
        }
        (None, Some(last), true, _) if last > 0 && length > 0 => Wanted::Part(length.saturating_sub(last), length),
        (Some(_), None, _, true) | (None, Some(_), true, _) => Wanted::Impossible,
        (Some(start), Some(last), ..) if start <= last => Wanted::Impossible,
        _ => Wanted::All,
    }
}
