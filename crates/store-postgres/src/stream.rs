//! All records of a list, as a stream: one portal in one read-only transaction, hence one state of the database, fetched
//! piece by piece in constant memory.
//!
//! A stream has a connection of the pool for as long as it runs. So streams never take more than half of the pool, and a
//! reader that dawdles is left behind ([`store::rows::PATIENCE`]).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use model::{Problem, Value};
use rules::{export::Form, plan::Read};
use sql::{Facts, Lines};
use store::rows::{PATIENCE, Piece, PieceSender, Rows};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_postgres::{Error, IsolationLevel, types::ToSql};

use crate::{
    connection::{Connections, Lease},
    fault::{self, problem},
    pulse::Pulse,
    query::{Cells, statements},
};

/// How long one more waits for a place.
const WAIT: Duration = Duration::from_secs(5);
/// Rows of the first fetch, and the most of any.
const ROWS: (i32, i32) = (50, 2000);
/// About so many bytes are fetched at once.
const FETCH: usize = 512 << 10;
/// How long one fetch may take; the first may have to sort everything.
const SETTINGS: &str = "SET LOCAL statement_timeout = '120s'; SET LOCAL idle_in_transaction_session_timeout = '60s'";

/// What streams need.
pub(crate) struct Streams {
    places: Arc<Semaphore>,
}

/// Stops the work when the stream is dropped.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why a stream ended early.
enum Early {
    /// Nobody takes it any more; the connection is as good as before.
    Unwanted,
    Failed(Error),
    /// The database is heard no more.
    Silent,
}

impl From<Error> for Early {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Streams {
    /// Streams that take half of a pool at most.
    pub(crate) fn new(connections: usize) -> Self {
        Self { places: Arc::new(Semaphore::new((connections / 2).max(1))) }
    }

    /// Starts a stream.
    pub(crate) async fn start(&self, connections: &Connections, read: Read, form: Form) -> Result<Rows, Problem> {
        let busy = |_| Problem::unavailable("too many exports run already", "every place for streams is taken", 5);
        let place = timeout(WAIT, Arc::clone(&self.places).acquire_owned()).await.map_err(busy)?;
        let place = place.map_err(|_| Problem::unavailable("the server is stopping", "streams are closed", 1))?;
        let mut lease = connections.lease().await?;
        let (sender, pieces) = mpsc::channel(1);
        let pulse = Arc::clone(connections.pulse());
        let work = tokio::spawn(async move {
            let _place = place;
            let mut out = Outlet { sender, left: PATIENCE.whole };
            let ended = pulse.unless_silent(run(&mut lease, &pulse, &read, form, &mut out)).await;
            match ended.unwrap_or(Err(Early::Silent)) {
                Ok(last) => {
                    lease.release();
                    let _ = out.put(last).await;
                }
                Err(Early::Unwanted) => lease.release(),
                Err(Early::Silent) => {
                    drop(lease);
                    drop(timeout(PATIENCE.piece, out.sender.send(Err(fault::silent()))).await);
                }
                Err(Early::Failed(error)) => {
                    if fault::is_stale(&error) {
                        lease.forget_statements();
                    }
                    drop(lease);
                    // Whoever has gone needs no reason.
                    drop(timeout(PATIENCE.piece, out.sender.send(Err(problem(&error)))).await);
                }
            }
        });
        Ok(Rows::new(pieces, AbortOnDrop(work)))
    }
}

/// Puts all pieces but the last.
async fn run(lease: &mut Lease, pulse: &Pulse, read: &Read, form: Form, out: &mut Outlet) -> Result<Piece, Early> {
    let made = statements(&read.plan);
    let own = [Value::Integer(i64::from(read.page.limit)), Value::Integer(i64::from(read.page.offset))];
    let values = made.list.values(&own, &Facts::of_read(read));
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
    let Some(statement) = lease.prepare(made.list.text()).await? else { return Err(Early::Unwanted) };
    let Some(client) = lease.client_mut() else { return Err(Early::Unwanted) };
    let transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?;
    transaction.batch_execute(SETTINGS).await?;
    let portal = transaction.bind(&statement, &values).await?;
    let mut lines = Lines::new(&made.layout, form);
    let (mut wanted, most) = ROWS;
    loop {
        let rows = transaction.query_portal(&portal, wanted).await?;
        pulse.note();
        let mut bytes = 0;
        for row in &rows {
            let at = lines.waiting();
            let full = lines.take(&Cells(row))?;
            bytes += lines.waiting() - at;
            if full {
                let (bytes, records) = lines.cut();
                if !out.put(Piece { bytes, records, last: false }).await {
                    transaction.rollback().await?;
                    return Err(Early::Unwanted);
                }
            }
        }
        if rows.len() < usize::try_from(wanted).unwrap_or(0) {
            break;
        }
        let each = (bytes / rows.len().max(1)).max(1);
        wanted = i32::try_from(FETCH / each).unwrap_or(most).clamp(1, most);
    }
    transaction.commit().await?;
    let (bytes, records) = lines.cut();
    Ok(Piece { bytes, records, last: true })
}

/// Where the pieces go, with what is left of our patience.
struct Outlet {
    sender: PieceSender,
    left: Duration,
}

impl Outlet {
    /// Hands a piece on; false where nobody takes it.
    async fn put(&mut self, piece: Piece) -> bool {
        let began = Instant::now();
        let sent = timeout(self.left.min(PATIENCE.piece), self.sender.send(Ok(piece))).await;
        self.left = self.left.saturating_sub(began.elapsed());
        matches!(sent, Ok(Ok(())))
    }
}
