// Express 5 on better-sqlite3: DB=path PORT=7006 NODE_ENV=production node express.js
import express from 'express';
import { openDatabase, limitOf } from './db.js';

const db = openDatabase();
const app = express();
app.disable('x-powered-by');
app.use(express.json());

app.get('/messages/:id', (req, res) => {
  const message = db.one(Number(req.params.id));
  if (message) res.json(message);
  else res.status(404).json({ error: 'not found' });
});
app.get('/messages', (req, res) => {
  res.json(db.list(Number(req.query.room_id), limitOf(req.query.limit)));
});
app.post('/messages', (req, res) => {
  const { room_id, author_id, text } = req.body ?? {};
  if (!Number.isInteger(room_id) || !Number.isInteger(author_id) || typeof text !== 'string') {
    res.status(400).json({ error: 'bad body' });
    return;
  }
  res.status(201).json(db.insert({ room_id, author_id, text }));
});

app.listen(Number(process.env.PORT ?? 7006), '127.0.0.1');
