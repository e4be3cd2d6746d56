"""What the measuring commands beside this file share: files to store, databases, and how a run is measured."""

import atexit
import datetime
import os
import pathlib
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

# So that what was made is removed when somebody ends the measuring.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20


def program():
    """The release binary of this tree, built when it is not up to date; or the one that MEASURED_PROGRAM names."""
    if named := os.environ.get("MEASURED_PROGRAM"):
        return pathlib.Path(named).resolve()
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=HERE.parent, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")
    return pathlib.Path(target) / "release" / "imagecached"


def corpus(root, count, size, seed=1):
    """`count` files of `size` bytes that no compression makes smaller, a hundred in a directory: the same each time."""
    chance = random.Random(seed)
    for n in range(count):
        directory = root / f"{n // 10_000:03}" / f"{n // 100 % 100:02}"
        if n % 100 == 0:
            directory.mkdir(parents=True)
        with open(directory / f"{n:07}.jpg", "wb") as file:
            for offset in range(0, size, MIB):
                file.write(chance.randbytes(min(MIB, size - offset)))
    return root


class Run:
    """How long a command took, what it used, and what it printed."""

    def __init__(self, seconds, peak_mib, output):
        self.seconds, self.peak_mib, self.output = seconds, peak_mib, output


def memory_mib(pid, line):
    """A line of a process's memory in MiB, 0 when it is gone."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = [text.split()[1] for text in status.splitlines() if text.startswith(line + ":")]
    return int(found[0]) / 1024 if found else 0.0


def run(command, cwd=None, stdin=None, settle=True):
    """Runs a command to its end, which must be a good one. What was written before is on the disk when it begins."""
    if settle:
        os.sync()
    began = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command], cwd=cwd, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    peak, ended = [0.0], threading.Event()

    def watch():
        # The kernel's own figure for an ended child counts what we took before it became another program.
        while not ended.is_set():
            peak[0] = max(peak[0], memory_mib(process.pid, "VmHWM"))
            ended.wait(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output = process.communicate()[0].decode(errors="replace")
    seconds = time.monotonic() - began
    ended.set()
    watcher.join()
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} has ended with {process.returncode}:\n{output}")
    return Run(seconds, peak[0], output)


def environment(upload_dir, url):
    """What tells the program its directory and its database; nothing else of ours reaches it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMAGECACHED_")}
    kept.pop("DATABASE_URL", None)
    return kept | {
        "IMAGECACHED_UPLOAD_DIR": str(upload_dir),
        "IMAGECACHED_ALLOW_ANY_UPLOAD_DIR": "true",
        "DATABASE_URL": url,
    }


def imagecached(binary, upload_dir, url, *arguments):
    """The command line that runs the program on a directory and a database."""
    settings = ["--upload-dir", str(upload_dir), "--database-url", url]
    return [binary, *arguments, *settings, "--set", "allow_any_upload_dir=true"]


class Postgres:
    """The server of `tests/with-services`, with databases that are removed at the end."""

    def __init__(self):
        self.server = os.environ.get("IMAGECACHED_TEST_POSTGRES")
        if self.server is None:
            sys.exit(f"no PostgreSQL: run tests/with-services {sys.argv[0]}")
        self.bin = pathlib.Path(os.environ["IMAGECACHED_TEST_PG_BIN"])
        self.made = []

    def psql(self, sql, url=None, settle=False):
        command = [self.bin / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
        return run([*command, "--set", "ON_ERROR_STOP=1", "--command", sql, url or self.server], settle=settle)

    def fresh(self):
        """The URL of an empty database."""
        name = f"measured_{os.getpid()}_{len(self.made)}"
        self.psql(f"CREATE DATABASE {name}")
        self.made.append(name)
        return self.server.rsplit("/", 1)[0] + "/" + name

    def close(self):
        for name in self.made:
            self.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def room(megabytes):
    """A directory on the disk that is measured. Nothing in it goes before all is measured: ext4 is slow to use the inodes
    of deleted files again, and whoever comes next would pay for it."""
    parent = os.environ.get("TMPDIR", "/var/tmp")
    free = shutil.disk_usage(parent).free // MIB
    if free < megabytes:
        sys.exit(f"{parent} has {free} MiB left, and this takes {megabytes}: set TMPDIR, or measure less")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="imagecached-measured.", dir=parent))
    atexit.register(shutil.rmtree, directory)
    return directory


def ratio(ours, theirs):
    """The median of what each repetition has come to: both ran in its few seconds, whatever else the machine did."""
    return statistics.median(our / their for our, their in zip(ours, theirs))


def machine(postgres=None):
    """Where and when this was measured, in a line."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    parts = [
        f"{datetime.date.today():%Y-%m-%d}",
        f"{os.cpu_count()} cores ({models[0] if models else platform.machine()})",
        f"Linux {platform.release().split('-')[0]}",
    ]
    if postgres:
        parts.append("PostgreSQL " + postgres.psql("SHOW server_version").output.split()[0])
    return ", ".join(parts)


def table(head, rows):
    """A table in Markdown, its columns lined up."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    lines = [head, ["-" * (widths[0]), *("-" * (width - 1) + ":" for width in widths[1:])], *rows]
    shown = [
        " | ".join(cell.ljust(width) if n == 0 else cell.rjust(width) for n, (cell, width) in enumerate(zip(line, widths)))
        for line in lines
    ]
    return "\n".join(f"| {line} |" for line in shown)
