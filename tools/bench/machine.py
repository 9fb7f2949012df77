"""What a figure needs beside it: machine, date, commit; and how the programs are started."""

import datetime
import os
import pathlib
import subprocess
import sys

PROJECT = pathlib.Path(__file__).resolve().parents[2]
NASRUN = PROJECT / "build" / "release" / "nasrun"
HERE = pathlib.Path(__file__).resolve().parent


def output(*command):
    """Standard output of a command that must succeed; its errors are shown."""
    run = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(map(str, command))}: ended with {run.returncode}")
    return run.stdout


def pinned(cores, *command):
    return ["taskset", "-c", cores, *map(str, command)]


def last_core():
    """Interrupts and other work prefer the first."""
    return str(max(os.sched_getaffinity(0)))


def description():
    """One line: processor, cores, commit, date, load."""
    names = [line.split(":")[1].strip() for line in output("lscpu").splitlines() if line.startswith("Model name")]
    commit = output("git", "-C", PROJECT, "describe", "--always", "--dirty").strip()
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"{names[0]}, {os.cpu_count()} cores, {date}, commit {commit}, load {os.getloadavg()[0]:.1f}"
