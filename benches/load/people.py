#!/usr/bin/env python3
"""Sixty-four people who sign in, each again as soon as it is in: one thread, one connection a person, requests made beforehand.

people.py PORT SECONDS PEOPLE    prints {"times": [seconds, …], "refused": number}

With a thread or a connection for each sign-in it would hold up the readers' client for milliseconds, which would be taken
for the server's. At the end everybody waits for the answer: a sign-in that is broken off counts as one that failed.
"""
import json
import selectors
import socket
import sys
import time

import tokens

LONGEST = 60


class Person:
    def __init__(self, port, user):
        body = tokens.credentials(user).encode()
        self.request = (f"POST /auth/sign-in HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.answer, self.begun = b"", None

    def ask(self):
        self.answer, self.begun = b"", time.monotonic()
        self.socket.sendall(self.request)

    def hear(self):
        """The status, once the whole answer is there."""
        heard = self.socket.recv(65536)
        if not heard:
            raise ConnectionError("the server hung up")
        self.answer += heard
        head, gap, body = self.answer.partition(b"\r\n\r\n")
        if not gap:
            return None
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        return int(head.split(b" ")[1]) if len(body) >= length else None


def main():
    port, seconds, count = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    people = [Person(port, user) for user in range(1, count + 1)]
    waiting = selectors.DefaultSelector()
    for person in people:
        waiting.register(person.socket, selectors.EVENT_READ, person)
    end = time.monotonic() + seconds
    times, refused, under_way = [], 0, len(people)
    for person in people:
        person.ask()
    while under_way:
        ready = waiting.select(timeout=LONGEST)
        if not ready:
            raise TimeoutError(f"{under_way} people wait for more than {LONGEST} s")
        for key, _ in ready:
            status = key.data.hear()
            if status is None:
                continue
            now = time.monotonic()
            if status != 200:
                refused += 1
            elif now < end:
                times.append(now - key.data.begun)
            # Whoever is refused has had enough.
            if now < end and status == 200:
                key.data.ask()
            else:
                under_way -= 1
    print(json.dumps({"times": times, "refused": refused}))


if __name__ == "__main__":
    main()
