// What both Node servers share: prepared statements on better-sqlite3, in WAL mode.
// DB=path of a database made by ../load/data.py, SYNC=FULL|NORMAL
import Database from 'better-sqlite3';

const COLUMNS = 'id, room_id, author_id, text, created';

export function openDatabase() {
  const db = new Database(process.env.DB);
  db.pragma('journal_mode = WAL');
  db.pragma(`synchronous = ${process.env.SYNC ?? 'FULL'}`);
  db.pragma('foreign_keys = ON');
  const one = db.prepare(`SELECT ${COLUMNS} FROM message WHERE id = ?`);
  const list = db.prepare(`SELECT ${COLUMNS} FROM message WHERE room_id = ? ORDER BY created DESC LIMIT ?`);
  const insert = db.prepare('INSERT INTO message (room_id, author_id, text, created) VALUES (?, ?, ?, ?)');
  return {
    one: (id) => one.get(id),
    list: (room, limit) => list.all(room, limit),
    insert({ room_id, author_id, text }) {
      const created = Date.now();
      const { lastInsertRowid } = insert.run(room_id, author_id, text, created);
      return { id: Number(lastInsertRowid), room_id, author_id, text, created };
    },
  };
}

export function limitOf(value) {
  const number = Number(value ?? 20);
  return Math.min(Math.max(Number.isFinite(number) ? number : 20, 1), 100);
}
