#!/usr/bin/env python3
"""Many idle connections: what they cost, and whether others are still served.

    idle.py PID HOST:PORT [COUNT] [ADDRESSES]

Opens COUNT (10,000) keep-alive connections, asks once for /livez on each, leaves them alone, and prints the resident
memory of the process PID before and after, and how long a request of somebody else takes meanwhile. One address has
28,000 ports or so towards one server; on loopback further ones (127.0.0.2 …) are taken in turn. COUNT above
server.max_connections shows that idle connections make room.
"""
import asyncio
import resource
import sys
import time


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


async def ask(host, port, local=None):
    reader, writer = await asyncio.open_connection(host, port, local_addr=local)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: bench\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    await reader.readexactly(length)
    return head.split(b" ")[1], reader, writer


async def main():
    pid, place = int(sys.argv[1]), sys.argv[2]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
    host, port = place.rsplit(":", 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before, started = memory(pid), time.monotonic()
    held, failed = [], 0
    for begin in range(0, count, 100):
        local = (f"127.0.0.{2 + begin // 5000}", 0) if host.startswith("127.") else None
        tasks = [ask(host, port, local) for _ in range(min(100, count - begin))]
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, BaseException):
                failed += 1
            else:
                held.append(outcome)
    took = time.monotonic() - started
    times = []
    for _ in range(50):
        began = time.monotonic()
        status, _, writer = await ask(host, port)
        times.append(time.monotonic() - began)
        writer.close()
        assert status == b"200", status
    after = memory(pid)
    gone = sum(reader.at_eof() for _, reader, _ in held)
    print(f"opened {len(held)} in {took:.1f} s, {failed} failed, {gone} closed by the server to make room")
    print(f"memory {before:.1f} MiB -> {after:.1f} MiB: {(after - before) * 1024 / max(1, len(held) - gone):.1f} KiB each")
    times.sort()
    print(f"others meanwhile: median {times[25] * 1000:.1f} ms, slowest {times[-1] * 1000:.1f} ms of 50")


asyncio.run(main())
