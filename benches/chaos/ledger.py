"""Writers that never give up, and a ledger of what they were told: what was acknowledged must be there, once."""
import collections
import http.client
import json
import random
import threading
import time
import uuid

import data


class Ledger:
    """What was sent and what was acknowledged. A text is nowhere else, so it tells a record from its double."""

    def __init__(self, keys):
        self.keys = keys  # whether writers retry with an Idempotency-Key
        self.acknowledged = {}  # text -> id
        self.sent = set()
        self.answers = []  # (time, status or the connection's error, seconds it took, Retry-After)
        self.faults = []
        self.unacknowledged = 0  # of those that are stored
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.threads = []

    def start(self, site, clients, name, pause=0.0):
        self.stopped.clear()
        self.threads = [threading.Thread(target=self.write, args=(site, f"{name}-{k}", pause)) for k in range(clients)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def write(self, site, prefix, pause):
        """Creates messages; with keys each one is retried until it is acknowledged, without them it is let go."""
        source, connection, number = random.Random(prefix), site.connect(), 0
        while not self.stopped.is_set():
            number += 1
            text = f"{prefix}-{number} {'x' * source.randint(0, 400)}"
            self.sent.add(text)
            record = {"room": source.randint(1, data.ROOMS), "author": source.randint(1, data.USERS), "text": text}
            headers = {"Content-Type": "application/json"}
            if self.keys:
                headers["Idempotency-Key"] = str(uuid.UUID(int=source.getrandbits(128)))
            tries = 0
            while True:
                tries += 1
                connection, done = self.once(site, connection, record, headers)
                if done or not self.keys or (self.stopped.is_set() and tries > 200):
                    break
                time.sleep(0.05)
            if pause:
                time.sleep(pause)

    def once(self, site, connection, record, headers):
        begin = time.monotonic()
        try:
            connection.request("POST", "/api/messages", json.dumps(record), headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            with self.lock:
                self.answers.append((time.monotonic(), repr(error)[:60], time.monotonic() - begin, None))
            time.sleep(0.02)
            return site.connect(), False
        with self.lock:
            self.answers.append((time.monotonic(), response.status, time.monotonic() - begin, response.getheader("Retry-After")))
            if response.status == 503 and not response.getheader("Retry-After"):
                self.faults.append(("no Retry-After", body[:200]))
            if response.status == 201:
                answer = json.loads(body)
                if answer["text"] != record["text"]:
                    self.faults.append(("wrong", f"{answer} for {record}"))
                self.acknowledged[record["text"]] = answer["id"]
                return connection, True
            if response.status not in (503, 409, 429):
                self.faults.append(("status", f"{response.status} {body[:300]}"))
        return connection, False

    def since(self, moment):
        """How often each status was answered since then, and the longest that an answer took."""
        with self.lock:
            recent = [answer for answer in self.answers if answer[0] - answer[2] >= moment]
        counts = collections.Counter(str(status) for _, status, _, _ in recent)
        return dict(counts), max((seconds for _, _, seconds, _ in recent), default=0)

    def first(self, moment, status):
        """Seconds from a moment to the first answer of a status after it; none where there is none."""
        with self.lock:
            return next((at - moment for at, known, _, _ in self.answers if at >= moment and known == status), None)

    def check(self, site):
        """(lost, doubled, foreign): everything there is against everything acknowledged."""
        stored = collections.Counter()
        ids = {}
        for record in site.all("messages"):
            stored[record["text"]] += 1
            ids[record["text"]] = record["id"]
        lost = [text for text, record in self.acknowledged.items() if ids.get(text) != record and stored[text] < 2]
        doubled = [text for text, count in stored.items() if count > 1]
        foreign = [text for text in stored if text not in self.sent]
        self.unacknowledged = sum(text not in self.acknowledged for text in stored)
        return len(lost), len(doubled), len(foreign)
