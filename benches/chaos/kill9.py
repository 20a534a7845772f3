#!/usr/bin/env python3
"""Kills the server with SIGKILL under load, many times, and looks for what was lost or doubled.

    benches/chaos/kill9.py --mainstay target/dist/mainstay [--kills 50]
    benches/chaos/kill9.py --mainstay target/dist/mainstay --database postgres://root@127.0.0.1/chaos

Clients create messages, one or three in a request, each with a text that is nowhere else. After each kill the server
starts again (some starts are killed too), and:
- every acknowledged message is there under its id, with its text, and stays there to the end;
- of a request for three either all or none are there;
- the event log has exactly one `created` entry for every message there is, and none for any other;
- sequences only grow.
Exits with 1 where anything of that does not hold.
"""
import argparse
import collections
import http.client
import json
import os
import random
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "load")]

import data  # noqa: E402
from site_under_test import Site, ask  # noqa: E402


class Ledger:
    """What the clients sent, what was acknowledged, and what was found to be wrong."""

    def __init__(self):
        self.sent = {}  # text -> the texts of its request
        self.acknowledged = {}  # id -> text
        self.refused = collections.Counter()  # status -> times
        self.faults = []
        self.lock = threading.Lock()

    def fault(self, kind, detail):
        with self.lock:
            self.faults.append((kind, detail))

    def new_request(self, random_source, prefix):
        size = 3 if random_source.random() < 0.25 else 1
        padding = "x" * random_source.randint(0, 600)
        texts = [f"{prefix}-{k}of{size} {padding}" for k in range(size)]
        with self.lock:
            self.sent.update((text, texts) for text in texts)
        return texts

    def acknowledge(self, records, texts):
        with self.lock:
            for record, text in zip(records, texts, strict=True):
                if record["text"] != text:
                    self.faults.append(("wrong", f"{record} was answered where {text!r} was sent"))
                if record["id"] in self.acknowledged:
                    self.faults.append(("duplicated", f"id {record['id']} was given twice"))
                self.acknowledged[record["id"]] = text


def client(site, ledger, prefix, killed):
    """Creates messages until the server is gone."""
    source, connection, number = random.Random(prefix), site.connect(), 0
    while not killed.is_set():
        number += 1
        texts = ledger.new_request(source, f"{prefix}-{number}")
        records = [{"room": source.randint(1, data.ROOMS), "author": source.randint(1, data.USERS), "text": text}
                   for text in texts]
        try:
            status, answer = ask(connection, "POST", "/api/messages", records if len(records) > 1 else records[0])
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            # Only a kill may break a connection; its flag goes up right after the signal.
            if not killed.wait(2):
                ledger.fault("broken", f"a connection broke before the kill: {error!r}")
            return
        if status == 201:
            ledger.acknowledge(answer if isinstance(answer, list) else [answer], texts)
        else:
            with ledger.lock:
                ledger.refused[status] += 1


def load_and_kill(site, ledger, options, round_number, source):
    killed = threading.Event()
    clients = [threading.Thread(target=client, args=(site, ledger, f"r{round_number}c{k}", killed))
               for k in range(options.clients)]
    for thread in clients:
        thread.start()
    time.sleep(source.uniform(0.02, options.longest))
    site.process.kill()
    killed.set()
    site.kill()
    for thread in clients:
        thread.join()


def entries(site, ledger, since, until):
    """[(sequence, action, record)] of the event log after a sequence, up to the entry of a record id."""
    connection = site.connect()
    connection.request("GET", "/api/messages/events", headers={"Last-Event-ID": str(since), "Accept": "text/event-stream"})
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"the event log answered {response.status}: {response.read()[:300]}")
    found, event = [], {}
    for line in iter(response.readline, b""):
        line = line.decode().rstrip("\r\n")
        if line:
            name, _, value = line.partition(":")
            event[name] = value.removeprefix(" ")
            continue
        if "data" in event and event.get("event") == "created":
            sequence, record = int(event["id"]), json.loads(event["data"])
            if sequence <= (found[-1][0] if found else since):
                ledger.fault("order", f"sequence {sequence} came after {found[-1][0] if found else since}")
            found.append((sequence, record))
            if record["id"] == until:
                connection.close()
                return found
        elif event.get("event"):
            ledger.fault("entry", f"unexpected event {event}")
        event = {}
    raise SystemExit("the event log's stream ended before its last entry")


def marker(site, ledger, name):
    """One more message. All that was acknowledged before it stands before it in the log."""
    text = f"marker-{name}"
    ledger.sent[text] = [text]
    status, record = ask(site.connect(), "POST", "/api/messages", {"room": 1, "author": 1, "text": text})
    if status != 201:
        raise SystemExit(f"the server does not take writes after its restart: {status} {record}")
    ledger.acknowledge([record], [text])
    return record["id"]


def check_round(site, ledger, before, since, name):
    """What this round has acknowledged, record by record, and its part of the log; the log's new end."""
    with ledger.lock:
        fresh = {i: text for i, text in ledger.acknowledged.items() if i not in before}
    connection = site.connect()
    for record_id, text in fresh.items():
        status, record = site.get(f"/api/messages/{record_id}", connection)
        if status != 200 or record["text"] != text:
            ledger.fault("lost", f"{record_id} was acknowledged with {text!r}; now {status} {record}")
    found = entries(site, ledger, since, marker(site, ledger, name))
    counts = collections.Counter(record["id"] for _, record in found)
    for record_id in fresh:
        if counts[record_id] != 1:
            ledger.fault("entry", f"{record_id} was acknowledged and has {counts[record_id]} entries in the log")
    return found[-1][0]


def check_all(site, ledger):
    """Everything there is against everything sent, acknowledged and logged."""
    stored = list(site.all("messages"))
    found = entries(site, ledger, 0, marker(site, ledger, "end"))
    by_id = {record["id"]: record for record in stored}
    if len(by_id) != len(stored):
        ledger.fault("duplicated", f"{len(stored) - len(by_id)} records were listed twice")
    texts = collections.Counter(record["text"] for record in stored)
    for text, count in texts.items():
        if text not in ledger.sent:
            ledger.fault("foreign", f"nobody sent {text!r}")
        elif count > 1:
            ledger.fault("duplicated", f"{text!r} is there {count} times")
        elif any(sibling not in texts for sibling in ledger.sent[text]):
            ledger.fault("half", f"{text!r} is there without the others of its request")
    for record_id, text in ledger.acknowledged.items():
        if not text.startswith("marker-end") and (record_id not in by_id or by_id[record_id]["text"] != text):
            ledger.fault("lost", f"{record_id} {text!r} is gone at the end")
    logged = collections.Counter(record["id"] for _, record in found)
    for sequence, record in found[:-1]:
        if by_id.get(record["id"]) != record:
            ledger.fault("entry", f"entry {sequence} says {record}, stored is {by_id.get(record['id'])}")
    for record_id in by_id:
        if logged[record_id] != 1:
            ledger.fault("entry", f"{record_id} is stored and has {logged[record_id]} entries in the log")
    return len(stored)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mainstay", required=True, help="the binary")
    parser.add_argument("--app", default=os.path.join(os.path.dirname(HERE), "app"), help="an app with benches/app's messages")
    parser.add_argument("--database", default="sqlite:data/app.db", help="a PostgreSQL database that is named is dropped and made afresh")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--longest", type=float, default=0.5, help="seconds of load before a kill, at most")
    parser.add_argument("--port", type=int, default=7021)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    source, ledger = random.Random(options.seed), Ledger()
    with tempfile.TemporaryDirectory(prefix="mainstay-kill9-") as scratch:
        site = Site(options.mainstay, options.app, os.path.join(scratch, "app"), options.database, options.port)
        data.write_seed(os.path.join(site.folder, "seed"), 0)
        site.run("migrate", "apply")
        site.run("seed")
        try:
            stored, starts, killed_starts = torment(site, ledger, options, source)
        finally:
            if site.process and site.process.poll() is None:
                site.kill()
    kinds = collections.Counter(kind for kind, _ in ledger.faults)
    for kind, detail in ledger.faults[:20]:
        print(f"{kind}: {detail[:400]}", file=sys.stderr)
    unknown = stored - len(ledger.acknowledged) + 1
    print(f"{'postgres' if site.postgres else 'sqlite'}: {options.kills} kills under load and {killed_starts} while starting; "
          f"{len(ledger.sent):,} sent, {len(ledger.acknowledged):,} acknowledged, {unknown:,} stored with the answer cut off; "
          f"lost {kinds['lost']}, duplicated {kinds['duplicated']}, half requests {kinds['half']}, "
          f"log entries wrong {kinds['entry'] + kinds['order']}, other faults "
          f"{sum(kinds.values()) - sum(kinds[k] for k in ('lost', 'duplicated', 'half', 'entry', 'order'))}; "
          f"refused {dict(ledger.refused)}; ready again after {max(starts):.0f} ms at most")
    return 1 if ledger.faults or ledger.refused else 0


def torment(site, ledger, options, source):
    """Kills as often as asked for; (records at the end, milliseconds of each start, starts that were killed)."""
    starts, killed_starts, since = [site.start()], 0, 0
    since = check_round(site, ledger, dict(ledger.acknowledged), since, "begin")
    for round_number in range(1, options.kills + 1):
        before = dict(ledger.acknowledged)
        load_and_kill(site, ledger, options, round_number, source)
        if source.random() < 0.3:
            site.process = site.spawn("serve")
            time.sleep(source.uniform(0, 0.06))
            site.kill()
            killed_starts += 1
        starts.append(site.start())
        since = check_round(site, ledger, before, since, round_number)
        if round_number % 10 == 0:
            print(f"{round_number} kills, {len(ledger.acknowledged):,} acknowledged, {len(ledger.faults)} faults",
                  file=sys.stderr, flush=True)
    stored = check_all(site, ledger)
    site.stop()
    return stored, starts, killed_starts


if __name__ == "__main__":
    sys.exit(main())
