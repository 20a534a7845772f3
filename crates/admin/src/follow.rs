//! Lines of the audit log as a stream: all that are there, in constant memory, and then those that come.

use std::{sync::Arc, time::Duration};

use auth::{
    Auth,
    audit::{self, Follower, Line, PAGE, Place},
};
use bytes::Bytes;
use http::{Method, header};
use model::{Problem, caller::Identity};
use store::own::audit::Wanted;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use web::{Body, Broken, Request, Session};

use crate::{Admin, require_admin};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// How long nothing comes before an empty line says that the stream is alive.
const SILENCE: Duration = Duration::from_secs(15);

/// Whoever reads, to be asked again while the answer goes on.
struct Reader {
    auth: Arc<Auth>,
    session: Option<Session>,
    /// What was shown, where it is a key.
    shown: Option<String>,
    stop: CancellationToken,
}

impl Reader {
    async fn who(&self) -> Result<Arc<Identity>, Problem> {
        match (&self.session, &self.shown) {
            (Some(session), _) => session.again().await,
            (None, Some(shown)) => self.auth.identify(shown).await.map(|identified| identified.identity),
            (None, None) => Ok(self.auth.anonymous()),
        }
    }

    /// Whether it may still read.
    async fn may(&self) -> bool {
        match self.who().await {
            Ok(identity) => require_admin(&identity).is_ok(),
            // The database is away: nothing is told meanwhile, and nobody is turned away for it.
            Err(problem) => problem.code.status() >= 500,
        }
    }
}

/// The body: the lines, and with `follow` what comes.
///
/// # Errors
/// The database can't be asked.
pub(crate) async fn body(admin: &Admin, request: &Request<'_>, wanted: Wanted, follow: bool) -> Result<Body, Problem> {
    if request.method == Method::HEAD {
        return Ok(Body::empty());
    }
    let auth = Arc::clone(&admin.auth);
    if !follow {
        // What is wrong is told before the first byte.
        let first = audit::pages(&**auth.store(), &wanted, None, PAGE).await?;
        return Ok(Body::Pieces(Box::pin(futures_util::stream::unfold(
            Some((auth, wanted, Some(first), None)),
            |state| async { history(state?).await },
        ))));
    }
    let reader = Reader {
        session: request.session.clone(),
        shown: request.header(header::AUTHORIZATION).map(str::to_owned),
        stop: admin.stop.clone(),
        auth,
    };
    let follower = Follower::new(wanted, request.now);
    let stream =
        futures_util::stream::unfold((reader, follower, Instant::now(), true), |(reader, follower, told, more)| {
            next(reader, follower, told, more)
        });
    Ok(Body::Stream(Box::pin(stream)))
}

type History = (Arc<Auth>, Wanted, Option<Vec<Line>>, Option<Place>);

/// The next page of all that is there; the state is none after the last.
async fn history(state: History) -> Option<(Result<Bytes, Broken>, Option<History>)> {
    let (auth, wanted, first, after) = state;
    let page = match first {
        Some(first) => Ok(first),
        None => audit::pages(&**auth.store(), &wanted, after.as_ref(), PAGE).await,
    };
    match page {
        Ok(lines) => {
            let last = lines.last().filter(|_| lines.len() == PAGE as usize).map(Line::place);
            let bytes = bytes_of(&lines);
            let next = last.map(|place| (auth, wanted, None, Some(place)));
            if bytes.is_empty() { None } else { Some((Ok(bytes), next)) }
        }
        Err(problem) => {
            tracing::warn!(cause = problem.cause, detail = problem.detail, "a stream of the audit log broke off");
            Some((Err(Broken), None))
        }
    }
}

type Following = (Reader, Follower, Instant, bool);

/// Waits for the next lines; none once the reader may not read any more, or the server stops.
async fn next(reader: Reader, mut follower: Follower, told: Instant, mut more: bool) -> Option<(Bytes, Following)> {
    loop {
        if !more {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = reader.stop.cancelled() => return None,
            }
        }
        if reader.stop.is_cancelled() || !reader.may().await {
            return None;
        }
        let now = reader.auth.now();
        let lines = match follower.next(&**reader.auth.store(), now).await {
            Ok((lines, further)) => {
                more = further;
                lines
            }
            Err(problem) => {
                tracing::warn!(cause = problem.cause, "the audit log can't be read; trying again");
                more = false;
                Vec::new()
            }
        };
        let bytes = bytes_of(&lines);
        if !bytes.is_empty() {
            return Some((bytes, (reader, follower, Instant::now(), more)));
        }
        if told.elapsed() > SILENCE {
            return Some((Bytes::from_static(b"\n"), (reader, follower, Instant::now(), more)));
        }
    }
}

fn bytes_of(lines: &[Line]) -> Bytes {
    let mut out = String::new();
    for line in lines {
        out.push_str(&line.to_json());
        out.push('\n');
    }
    out.into()
}
