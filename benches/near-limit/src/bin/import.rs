//! The bare import: lines of JSON into one table by one prepared insert, 500 lines a transaction, with the indexes that
//! Mainstay's table has.
//!
//! Environment: `DB`, a database made by `load/data.py` (its messages are deleted first); `FILE`, the lines; `SYNC`.
//! Prints the rows and the seconds as JSON.

use std::{
    env,
    error::Error,
    fs::File,
    io::{BufRead as _, BufReader},
    time::Instant,
};

use rusqlite::{Connection, params};
use serde::Deserialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const INSERT: &str = "INSERT INTO message (id, room_id, author_id, text, created) VALUES (?1, ?2, ?3, ?4, ?5)";
/// Lines in one transaction, as in Mainstay's.
const GROUP: usize = 500;

#[derive(Deserialize)]
struct Line {
    id: i64,
    room: i64,
    author: i64,
    text: String,
    /// RFC 3339; kept as it is, for parsing times is not what is measured.
    created: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let synchronous = env::var("SYNC").unwrap_or_else(|_| "FULL".to_owned());
    let connection = Connection::open(env::var("DB")?)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; DELETE FROM message; \
         CREATE INDEX IF NOT EXISTS message_author ON message (author_id);"
    ))?;
    let begun = Instant::now();
    let mut rows = 0;
    let mut statement = connection.prepare(INSERT)?;
    for line in BufReader::with_capacity(1 << 20, File::open(env::var("FILE")?)?).lines() {
        if rows % GROUP == 0 {
            if rows > 0 {
                connection.execute_batch("COMMIT")?;
            }
            connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        let line: Line = serde_json::from_str(&line?)?;
        statement.execute(params![line.id, line.room, line.author, line.text, line.created])?;
        rows += 1;
    }
    if rows > 0 {
        connection.execute_batch("COMMIT")?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{{\"rows\":{rows},\"seconds\":{seconds:.3}}}");
    Ok(())
}
