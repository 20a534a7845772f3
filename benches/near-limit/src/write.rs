//! Writes: one thread, which puts all that is queued into one transaction (group commit) and answers nobody
//! before the commit has returned.

use std::{
    error::Error,
    process, thread,
    time::{SystemTime, UNIX_EPOCH},
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use rusqlite::{Connection, OpenFlags, params};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::Message;

const INSERT: &str = "INSERT INTO message (room_id, author_id, text, created) VALUES (?1, ?2, ?3, ?4)";
/// The most inserts in one transaction.
const LARGEST_GROUP: usize = 1024;

/// What a client sends.
#[derive(Deserialize)]
pub(crate) struct NewMessage {
    room_id: i64,
    author_id: i64,
    text: String,
}

/// The one door to the writing thread.
pub(crate) struct Writer {
    jobs: Sender<Job>,
}

enum Job {
    One {
        new: NewMessage,
        reply: oneshot::Sender<Message>,
    },
    /// All or none.
    Batch {
        new: Vec<NewMessage>,
        reply: oneshot::Sender<Vec<Message>>,
    },
}

/// An answer that waits for the commit.
enum Waiting {
    One(oneshot::Sender<Message>, Message),
    Batch(oneshot::Sender<Vec<Message>>, Vec<Message>),
}

impl Writer {
    /// Opens the database for writing. Fails where `synchronous` is neither `FULL` nor `NORMAL`.
    pub(crate) fn open(database: &str, synchronous: &str) -> Result<Self, Box<dyn Error>> {
        if !["FULL", "NORMAL"].contains(&synchronous) {
            return Err(format!("SYNC is FULL or NORMAL, not {synchronous}").into());
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database, flags)?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON;"
        ))?;
        let (jobs, queue) = unbounded();
        thread::spawn(move || {
            // A yardstick that can't commit measures nothing, so it stops.
            if write(&connection, &queue).is_err() {
                process::exit(1);
            }
        });
        Ok(Self { jobs })
    }

    /// The message as it is on disk; `None` where it could not be stored.
    pub(crate) async fn insert(&self, new: NewMessage) -> Option<Message> {
        let (reply, stored) = oneshot::channel();
        self.jobs.send(Job::One { new, reply }).ok()?;
        stored.await.ok()
    }

    /// The messages as they are on disk; `None` where one of them could not be stored, and so none was.
    pub(crate) async fn insert_all(&self, new: Vec<NewMessage>) -> Option<Vec<Message>> {
        let (reply, stored) = oneshot::channel();
        self.jobs.send(Job::Batch { new, reply }).ok()?;
        stored.await.ok()
    }
}

fn write(connection: &Connection, queue: &Receiver<Job>) -> rusqlite::Result<()> {
    let mut done: Vec<Waiting> = Vec::with_capacity(LARGEST_GROUP);
    while let Ok(first) = queue.recv() {
        let mut next = Some(first);
        connection.execute_batch("BEGIN IMMEDIATE")?;
        while let Some(job) = next {
            match job {
                // A row that fails drops its reply, which becomes a 500 for that one request.
                Job::One { new, reply } => {
                    if let Ok(message) = store(connection, new) {
                        done.push(Waiting::One(reply, message));
                    }
                }
                Job::Batch { new, reply } => {
                    connection.prepare_cached("SAVEPOINT batch")?.execute([])?;
                    let stored: rusqlite::Result<Vec<Message>> =
                        new.into_iter().map(|new| store(connection, new)).collect();
                    match stored {
                        Ok(messages) => done.push(Waiting::Batch(reply, messages)),
                        Err(_) => {
                            connection.prepare_cached("ROLLBACK TO batch")?.execute([])?;
                        }
                    }
                    connection.prepare_cached("RELEASE batch")?.execute([])?;
                }
            }
            next = if done.len() < LARGEST_GROUP { queue.try_recv().ok() } else { None };
        }
        connection.execute_batch("COMMIT")?;
        for waiting in done.drain(..) {
            // The caller may have gone; the message is stored all the same.
            match waiting {
                Waiting::One(reply, message) => drop(reply.send(message)),
                Waiting::Batch(reply, messages) => drop(reply.send(messages)),
            }
        }
    }
    Ok(())
}

fn store(connection: &Connection, new: NewMessage) -> rusqlite::Result<Message> {
    let NewMessage { room_id, author_id, text } = new;
    let created = now_ms();
    let mut insert = connection.prepare_cached(INSERT)?;
    let id = insert.insert(params![room_id, author_id, text, created])?;
    Ok(Message { id, room_id, author_id, text, created })
}

fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
