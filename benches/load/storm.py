"""Sixty-four people who sign in at once, again and again: what those notice who only read, and what memory it takes."""
import concurrent.futures
import os
import statistics
import sys
import threading
import time

import machine
import measure
import servers
import tokens

PEOPLE = 64


def part(options):
    """Reads' p99 in calm and in the storm, by turns, on a server that has one core."""
    server = servers.build_server("mainstay", options)
    measurements = []
    try:
        server.start(os.path.join(options.work, "mainstay.log"), options.nice)
        time.sleep(1)
        # One after another, each sets a password and signs in once.
        for user in range(1, PEOPLE + 1):
            tokens.sign_in(os.path.join(options.work, "storm.token"), server.command[0], server.cwd, server.port, user)
        for workload in ("W1", "W1c1"):
            load = server.workloads[workload]
            measure.wrk(server, load, options.warmup, load["connections"], 1, options.nice)
            for round_number in range(1, options.rounds + 1):
                for stormy in (False, True):
                    row = one(server, load, stormy, round_number, options)
                    measurements.append(dict(row, workload=workload, stormy=stormy, round=round_number))
                    print(f"sign-ins {workload:5} {'storm' if stormy else 'calm ':5} p99 {row['p99_us'] / 1000:6.2f} ms "
                          f"{row['rps']:8,.0f} req/s, {row['signed_in']} signed in, {row['refused']} refused", file=sys.stderr, flush=True)
    finally:
        server.stop()
    report(measurements)
    return measurements


def one(server, load, stormy, seed, options):
    pid = server.process.pid
    before = machine.resident_mib(pid)
    machine.forget_peak(pid)
    over, times, refused = threading.Event(), [], []
    with concurrent.futures.ThreadPoolExecutor(PEOPLE, initializer=stay_out_of_the_way) as pool:
        if stormy:
            for user in range(1, PEOPLE + 1):
                pool.submit(keep_signing_in, server, user, over, times, refused)
            time.sleep(0.2)
        client = measure.begin(server, load, options.seconds, load["connections"], seed, options.nice)
        result = measure.finished(client, server, options.seconds)
        done, turned_away = list(times), len(refused)
        over.set()
    return dict(result, rps=result["requests"] / result["seconds"], signed_in=len(done), refused=turned_away,
                sign_in_s=statistics.median(done) if done else None, more_mib=machine.peak_mib(pid) - before)


def stay_out_of_the_way():
    """This thread asks in the time that the readers' client leaves: with a turn of its own it would hold up that client, or the
    server, for milliseconds, and they would be taken for the server's."""
    os.sched_setaffinity(0, {measure.CLIENT_CORE})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def keep_signing_in(server, user, over, times, refused):
    while not over.is_set():
        begin = time.monotonic()
        try:
            status, _ = server.ask("POST", "/auth/sign-in", tokens.credentials(user))
        except OSError:
            status = 0
        if status == 200:
            times.append(time.monotonic() - begin)
        else:
            refused.append(status)
            time.sleep(0.2)


def report(measurements):
    print(f"| {PEOPLE} sign in at once, the server on one core | reads/s | p50 ms | p99 ms | **p99 by calm** | signed in /s | "
          "a sign-in, s | refused | more memory, MiB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for workload in dict.fromkeys(row["workload"] for row in measurements):
        def of(stormy):
            return [row for row in measurements if row["workload"] == workload and row["stormy"] == stormy]

        for stormy in (False, True):
            rows = of(stormy)
            ratio = statistics.median(b["p99_us"] / a["p99_us"] for a, b in zip(of(False), rows))
            waits = [row["sign_in_s"] for row in rows if row["sign_in_s"]]
            print(f"| {workload}, {'storm' if stormy else 'calm'} | {statistics.median(row['rps'] for row in rows):,.0f} "
                  f"| {statistics.median(row['p50_us'] for row in rows) / 1000:.2f} "
                  f"| {statistics.median(row['p99_us'] for row in rows) / 1000:.2f} | {ratio:.2f} "
                  f"| {statistics.median(row['signed_in'] / row['seconds'] for row in rows):.1f} "
                  f"| {f'{statistics.median(waits):.2f}' if waits else '–'} | {sum(row['refused'] for row in rows)} "
                  f"| {max(row['more_mib'] for row in rows):.1f} |")
    print(flush=True)
