"""The data of the benchmark: 100 rooms, 100 users, and messages dealt to the rooms in turn.

Drawn from a fixed seed, so that every server and every run has the same rows and the same requests.
"""
import datetime
import json
import os
import random
import sqlite3

ROOMS = 100
USERS = 100
FIRST_CREATED_MS = 1_700_000_000_000
REQUESTS = 10_000  # as many as the smallest data set has rows, so that the client works alike on all
WORDS = "the quick brown fox jumps over a lazy dog while seven wizards brew some tea".split()

TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  room_id INTEGER NOT NULL REFERENCES room (id),
  author_id INTEGER NOT NULL REFERENCES user (id),
  text TEXT NOT NULL,
  created INTEGER NOT NULL);
CREATE TABLE room_member (
  room_id INTEGER NOT NULL REFERENCES room (id),
  user_id INTEGER NOT NULL REFERENCES user (id),
  PRIMARY KEY (room_id, user_id)) WITHOUT ROWID;
CREATE INDEX message_room_created ON message (room_id, created);
"""


def text(rng):
    return " ".join(rng.choice(WORDS) for _ in range(12))


def messages(rows):
    """(id, room, author, text, created in ms), oldest first."""
    rng = random.Random(42)
    for i in range(rows):
        yield i + 1, i % ROOMS + 1, rng.randint(1, USERS), text(rng), FIRST_CREATED_MS + i * 1000


def members():
    """(room, user): user 1 in every room, everybody else in ten."""
    rng = random.Random(43)
    pairs = {(room, 1) for room in range(1, ROOMS + 1)}
    for user in range(2, USERS + 1):
        pairs |= {(room, user) for room in rng.sample(range(1, ROOMS + 1), 10)}
    return sorted(pairs)


def timestamp(ms):
    """RFC 3339 in UTC, as Mainstay takes a datetime."""
    moment = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


def write_sqlite(path, rows):
    """The database of near-limit and the Node servers."""
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.remove(path + suffix)
    db = sqlite3.connect(path)
    db.executescript(TABLES)
    with db:
        db.executemany("INSERT INTO user VALUES (?, ?)", [(i, f"user{i}") for i in range(1, USERS + 1)])
        db.executemany("INSERT INTO room VALUES (?, ?)", [(i, f"room{i}") for i in range(1, ROOMS + 1)])
        db.executemany("INSERT INTO room_member VALUES (?, ?)", members())
        db.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?)", messages(rows))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def write_seed(folder, rows):
    """The same rows as `seed/*.ndjson` of a Mainstay app; `rows` may be 0."""
    os.makedirs(folder, exist_ok=True)
    line = json.JSONEncoder(separators=(",", ":")).encode

    def write(name, records):
        path = os.path.join(folder, f"{name}.ndjson")
        if os.path.exists(path):
            os.remove(path)
        with open(path, "w") as file:
            file.writelines(line(record) + "\n" for record in records)

    write("users", ({"id": i, "name": f"user{i}", "email": f"user{i}@bench.example"} for i in range(1, USERS + 1)))
    write("rooms", ({"id": i, "name": f"room{i}"} for i in range(1, ROOMS + 1)))
    write("room_members", ({"room": room, "member": user} for room, user in members()))
    if rows:
        write_messages(os.path.join(folder, "messages.ndjson"), rows)
        # The same again for members alone (W4); no more of them than are asked for.
        write_messages(os.path.join(folder, "letters.ndjson"), min(rows, REQUESTS))


def write_messages(path, rows):
    """The messages as Mainstay takes them, a line each."""
    line = json.JSONEncoder(separators=(",", ":")).encode
    with open(path, "w") as file:
        file.writelines(line({"id": i, "room": room, "author": author, "text": words, "created": timestamp(created)}) + "\n"
                        for i, room, author, words, created in messages(rows))


def write_requests(folder, rows):
    """The request files that load.lua reads: `own.*` for near-limit and Node, `mainstay.*` for Mainstay."""
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(7)

    def write(name, lines):
        with open(os.path.join(folder, name), "w") as file:
            file.writelines(line + "\n" for line in lines)

    ids = range(1, rows + 1) if rows <= REQUESTS else [rng.randint(1, rows) for _ in range(REQUESTS)]
    new = [(rng.randint(1, ROOMS), rng.randint(1, USERS), text(rng)) for _ in range(1000)]
    write("root.paths", ["/"])
    write("own.W1.paths", (f"/messages/{i}" for i in ids))
    write("own.W2.paths", (f"/messages?room_id={room}&sort=-created&limit=20" for room in range(1, ROOMS + 1)))
    write("own.W2x.paths", (f"/messages?room_id={room}&sort=-created&limit=20&expand=author" for room in range(1, ROOMS + 1)))
    write("own.W4.paths", (f"/secure/messages/{i}" for i in range(1, min(rows, REQUESTS) + 1)))
    write("own.W3.paths", ["/messages"])
    write("own.W3.bodies", (json.dumps({"room_id": r, "author_id": a, "text": t}) for r, a, t in new))
    tens = [new[i:i + 10] for i in range(0, 1000, 10)]
    write("own.W5.paths", ["/batch"])
    write("own.W5.bodies", (json.dumps([{"room_id": r, "author_id": a, "text": t} for r, a, t in ten]) for ten in tens))
    write("mainstay.W1.paths", (f"/api/messages/{i}" for i in ids))
    write("mainstay.W2.paths", (f"/api/messages?room={room}&sort=-created&limit=20" for room in range(1, ROOMS + 1)))
    write("mainstay.W2x.paths", (f"/api/messages?room={room}&sort=-created&limit=20&expand=author" for room in range(1, ROOMS + 1)))
    write("mainstay.W4.paths", (f"/api/letters/{i}" for i in range(1, min(rows, REQUESTS) + 1)))
    write("mainstay.W3.paths", ["/api/messages"])
    write("mainstay.W3.bodies", (json.dumps({"room": r, "author": a, "text": t}) for r, a, t in new))
    write("mainstay.W5.paths", ["/api/batch"])
    write("mainstay.W5.bodies", (json.dumps({"operations": [
        {"method": "POST", "path": "/api/messages", "body": {"room": r, "author": a, "text": t}} for r, a, t in ten]})
        for ten in tens))


def write_postgres(path, rows):
    """A script for psql that makes the tables of near-limit's server on PostgreSQL, with the same rows."""
    tables = TABLES.replace("PRAGMA journal_mode = WAL;\n", "").replace("INTEGER", "BIGINT").replace(" WITHOUT ROWID", "")
    tables = tables.replace("CREATE TABLE user ", 'CREATE TABLE "user" ').replace("REFERENCES user ", 'REFERENCES "user" ')
    tables = tables.replace("CREATE TABLE message (\n  id BIGINT PRIMARY KEY", "CREATE TABLE message (\n  id BIGSERIAL PRIMARY KEY")
    with open(path, "w") as file:
        def copy(table, records):
            file.write(f"COPY {table} FROM stdin;\n")
            file.writelines("\t".join(map(str, record)) + "\n" for record in records)
            file.write("\\.\n")

        file.write(tables)
        copy('"user"', ((i, f"user{i}") for i in range(1, USERS + 1)))
        copy("room", ((i, f"room{i}") for i in range(1, ROOMS + 1)))
        copy("room_member", members())
        copy("message", messages(rows))
        file.write(f"SELECT setval('message_id_seq', {max(rows, 1)});\n")
