// Fastify on better-sqlite3, with schemas, so that it uses its compiled serialisers:
// DB=path PORT=7007 NODE_ENV=production node fastify.js
import Fastify from 'fastify';
import { openDatabase, limitOf } from './db.js';

const db = openDatabase();
const app = Fastify({ logger: false });

const integer = { type: 'integer' };
const text = { type: 'string' };
const error = { type: 'object', properties: { error: text } };
const message = {
  type: 'object',
  properties: { id: integer, room_id: integer, author_id: integer, text, created: integer },
};
const oneSchema = {
  params: { type: 'object', properties: { id: integer }, required: ['id'] },
  response: { 200: message, 404: error },
};
const listSchema = {
  querystring: { type: 'object', properties: { room_id: integer, limit: integer }, required: ['room_id'] },
  response: { 200: { type: 'array', items: message } },
};
const createSchema = {
  body: {
    type: 'object',
    properties: { room_id: integer, author_id: integer, text },
    required: ['room_id', 'author_id', 'text'],
  },
  response: { 201: message },
};

app.get('/messages/:id', { schema: oneSchema }, (req, reply) => {
  const found = db.one(req.params.id);
  if (found) reply.send(found);
  else reply.code(404).send({ error: 'not found' });
});
app.get('/messages', { schema: listSchema }, (req, reply) => {
  reply.send(db.list(req.query.room_id, limitOf(req.query.limit)));
});
app.post('/messages', { schema: createSchema }, (req, reply) => {
  reply.code(201).send(db.insert(req.body));
});

await app.listen({ port: Number(process.env.PORT ?? 7007), host: '127.0.0.1' });
