//! Reads: prepared statements, on a pool of reader threads or on the thread that serves the request.

use std::{cell::RefCell, error::Error, thread};

use crossbeam_channel::{Sender, unbounded};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};
use tokio::sync::{mpsc, oneshot};

use crate::{Beside, Expanded, Message, User};

const SELECT_ONE: &str = "SELECT id, room_id, author_id, text, created FROM message WHERE id = ?1";
const SELECT_NEWEST: &str = "SELECT id, room_id, author_id, text, created FROM message \
                             WHERE room_id = ?1 ORDER BY created DESC LIMIT ?2";
const SELECT_SECURE: &str = "SELECT m.id, m.room_id, m.author_id, m.text, m.created FROM message AS m \
                             JOIN room_member AS r ON r.room_id = m.room_id AND r.user_id = ?2 WHERE m.id = ?1";
const SELECT_EXPANDED: &str = "SELECT m.id, m.room_id, m.author_id, m.text, m.created, u.id, u.name \
                               FROM message AS m JOIN user AS u ON u.id = m.author_id \
                               WHERE m.room_id = ?1 ORDER BY m.created DESC LIMIT ?2";
const SELECT_ALL: &str = "SELECT id, room_id, author_id, text, created FROM message WHERE id > ?1 ORDER BY id LIMIT ?2";
/// Rows of an export that are read at once: some hundred kilobytes.
const CHUNK: i64 = 1000;

/// What is to be read.
pub(crate) enum Read {
    /// One message.
    One { id: i64 },
    /// One message of a room that this user is a member of.
    Secure { id: i64, user: i64 },
    /// The newest messages of a room, perhaps with their authors.
    List { room: i64, limit: i64, expand: bool },
}

/// Answers reads as JSON bytes.
pub(crate) enum Reader {
    Inline { database: String },
    Pool { jobs: Sender<Job> },
}

pub(crate) struct Job {
    what: Read,
    reply: oneshot::Sender<Option<Vec<u8>>>,
}

thread_local! {
    static LOCAL: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

impl Reader {
    /// Opens `readers` connections, each with its thread; `inline` opens one for every serving thread, when
    /// it first reads.
    pub(crate) fn open(database: &str, readers: &str) -> Result<Self, Box<dyn Error>> {
        if readers == "inline" {
            return Ok(Self::Inline { database: database.to_owned() });
        }
        let (jobs, queue) = unbounded::<Job>();
        for _ in 0..readers.parse::<usize>()? {
            let queue = queue.clone();
            let connection = connect(database)?;
            thread::spawn(move || {
                for job in queue {
                    // The caller may have gone; then nobody waits for the answer.
                    drop(job.reply.send(run(&connection, &job.what)));
                }
            });
        }
        Ok(Self::Pool { jobs })
    }

    /// The answer's JSON; `None` where there is no such message, or the database failed.
    pub(crate) async fn read(&self, what: Read) -> Option<Vec<u8>> {
        match self {
            Self::Inline { database } => LOCAL.with_borrow_mut(|local| {
                if local.is_none() {
                    *local = connect(database).ok();
                }
                run(local.as_ref()?, &what)
            }),
            Self::Pool { jobs } => {
                let (reply, answer) = oneshot::channel();
                jobs.send(Job { what, reply }).ok()?;
                answer.await.ok()?
            }
        }
    }
}

/// Every message as a line of JSON, in chunks; read by a thread of its own, which waits where the client does not read.
pub(crate) fn export(database: String) -> mpsc::Receiver<Vec<u8>> {
    let (chunks, receiver) = mpsc::channel(2);
    thread::spawn(move || {
        // A client that has gone, or a database that fails, ends it.
        let _ = send_all(&database, &chunks);
    });
    receiver
}

fn send_all(database: &str, chunks: &mpsc::Sender<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    let connection = connect(database)?;
    let mut statement = connection.prepare(SELECT_ALL)?;
    let mut last = 0;
    loop {
        let mut chunk = Vec::with_capacity(256 << 10);
        for message in statement.query_map([last, CHUNK], message_of)? {
            let message = message?;
            last = message.id;
            serde_json::to_writer(&mut chunk, &message)?;
            chunk.push(b'\n');
        }
        if chunk.is_empty() {
            return Ok(());
        }
        chunks.blocking_send(chunk)?;
    }
}

fn connect(database: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA mmap_size = 268435456; PRAGMA cache_size = -16000;")?;
    Ok(connection)
}

fn run(connection: &Connection, what: &Read) -> Option<Vec<u8>> {
    match *what {
        Read::One { id } => {
            let mut statement = connection.prepare_cached(SELECT_ONE).ok()?;
            let message = statement.query_row([id], message_of).optional().ok()??;
            serde_json::to_vec(&message).ok()
        }
        Read::Secure { id, user } => {
            let mut statement = connection.prepare_cached(SELECT_SECURE).ok()?;
            let message = statement.query_row([id, user], message_of).optional().ok()??;
            serde_json::to_vec(&message).ok()
        }
        Read::List { room, limit, expand: true } => {
            let mut statement = connection.prepare_cached(SELECT_EXPANDED).ok()?;
            let rows = statement.query_map([room, limit], expanded_of).ok()?;
            let messages = rows.collect::<rusqlite::Result<Vec<Expanded>>>().ok()?;
            serde_json::to_vec(&messages).ok()
        }
        Read::List { room, limit, expand: false } => {
            let mut statement = connection.prepare_cached(SELECT_NEWEST).ok()?;
            let rows = statement.query_map([room, limit], message_of).ok()?;
            let messages = rows.collect::<rusqlite::Result<Vec<Message>>>().ok()?;
            serde_json::to_vec(&messages).ok()
        }
    }
}

fn expanded_of(row: &Row<'_>) -> rusqlite::Result<Expanded> {
    let author = User { id: row.get(5)?, name: row.get(6)? };
    Ok(Expanded {
        id: row.get(0)?,
        room_id: row.get(1)?,
        author_id: row.get(2)?,
        text: row.get(3)?,
        created: row.get(4)?,
        expand: Beside { author },
    })
}

fn message_of(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        room_id: row.get(1)?,
        author_id: row.get(2)?,
        text: row.get(3)?,
        created: row.get(4)?,
    })
}
