"""Sixty-four people who sign in at once, again and again: what those notice who only read, and what memory it takes."""
import json
import os
import statistics
import subprocess
import sys
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
    pid, seconds = server.process.pid, options.seconds
    before = machine.resident_mib(pid)
    machine.forget_peak(pid)
    people = begin(server, seconds + 1) if stormy else None
    client = measure.begin(server, load, seconds, load["connections"], seed, options.nice)
    result = measure.finished(client, server, seconds)
    storm = json.loads(people.communicate()[0]) if people else {"times": [], "refused": 0}
    times = storm["times"]
    return dict(result, rps=result["requests"] / result["seconds"], signed_in=len(times), refused=storm["refused"],
                signed_in_rate=len(times) / (seconds + 1), sign_in_s=statistics.median(times) if times else None,
                more_mib=machine.peak_mib(pid) - before)


def begin(server, seconds):
    """Lets the people begin. Their client asks in the time that the readers' client leaves."""
    people = subprocess.Popen(
        ["taskset", "-c", str(measure.CLIENT_CORE), "chrt", "--idle", "0", sys.executable,
         os.path.join(os.path.dirname(os.path.abspath(__file__)), "people.py"), str(server.port), str(seconds), str(PEOPLE)],
        stdout=subprocess.PIPE, text=True)
    time.sleep(0.8)
    return people


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
                  f"| {statistics.median(row['signed_in_rate'] for row in rows):.1f} "
                  f"| {f'{statistics.median(waits):.2f}' if waits else '–'} | {sum(row['refused'] for row in rows)} "
                  f"| {max(row['more_mib'] for row in rows):.1f} |")
    print(flush=True)
