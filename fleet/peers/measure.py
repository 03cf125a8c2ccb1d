"""Runs a command so many times, its output to a file, and prints its seconds of CPU, its seconds in all and its peak
memory in KiB: the median of each.

    measure.py TIMES OUTPUT COMMAND...
"""

import os
import subprocess
import sys
import time
from statistics import median

times, output, *command = sys.argv[1:]


def once() -> tuple[float, float, int]:
    started = time.monotonic()
    with open(output, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        # A checker that finds a violation ends with a code of its own: its output says what it found.
        _, code, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    return used.ru_utime + used.ru_stime, time.monotonic() - started, used.ru_maxrss


cpu, wall, memory = (median(values) for values in zip(*(once() for _ in range(int(times)))))
print(f"{cpu:.3f} {wall:.3f} {memory:.0f}")
