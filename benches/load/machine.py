"""What /proc knows: time used by a process and its children, memory, and how busy a core is with others."""
import os
import re
import time

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def _stat(pid):
    """The fields of /proc/PID/stat after the command's name, or None once the process is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            line = file.read()
    except OSError:
        return None
    return line[line.rindex(")") + 2:].split()


def tree(pid):
    """The process and all its descendants."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(name)):
            children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_seconds(pid):
    """(user, system) seconds that the process and its descendants have used."""
    return cpu_seconds_of(tree(pid))


def cpu_seconds_of(pids):
    """(user, system) seconds that these processes have used, with those of their children that have ended."""
    stats = [fields for member in pids if (fields := _stat(member))]
    return sum(int(f[11]) for f in stats) / TICK, sum(int(f[12]) for f in stats) / TICK


def resident_mib(pid):
    pages = 0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/statm") as file:
                pages += int(file.read().split()[1])
        except OSError:
            pass
    return pages * PAGE / 2**20


def peak_mib(pid):
    kilobytes = 0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/status") as file:
                match = re.search(r"VmHWM:\s+(\d+) kB", file.read())
                kilobytes += int(match.group(1)) if match else 0
        except OSError:
            pass
    return kilobytes / 1024


def forget_peak(pid):
    """Lets the peak begin anew; where that is not allowed, it stays what it was."""
    try:
        with open(f"/proc/{pid}/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def busy_seconds(core):
    """Seconds that a core has worked since boot, whoever for."""
    with open("/proc/stat") as file:
        for line in file:
            if line.startswith(f"cpu{core} "):
                user, nice, system, _idle, _wait, irq, softirq = (int(v) for v in line.split()[1:8])
                return (user + nice + system + irq + softirq) / TICK
    raise ValueError(f"this machine has no core {core}")


def wait_until_quiet(core, share, patience):
    """Waits until a core is busy for less than `share` of half a second, `patience` seconds at most."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        before, start = busy_seconds(core), time.monotonic()
        time.sleep(0.5)
        if (busy_seconds(core) - before) / (time.monotonic() - start) < share:
            return


def prioritise(pid, nice):
    """Sets the priority of a session's leader. Linux weighs sessions first (autogroups), so theirs is set too."""
    os.setpriority(os.PRIO_PROCESS, pid, nice)
    try:
        with open(f"/proc/{pid}/autogroup", "w") as file:
            file.write(str(nice))
    except OSError:
        pass


def size_mib(path):
    """The size of a file, or of all files below a folder."""
    if os.path.isfile(path):
        return os.path.getsize(path) / 2**20
    paths = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sum(os.path.getsize(p) for p in paths if not os.path.islink(p)) / 2**20
