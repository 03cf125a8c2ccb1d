"""Runs a command, its output to a file, and prints its seconds of CPU, its seconds in all and its peak memory in KiB.

    measure.py OUTPUT COMMAND...
"""

import resource
import subprocess
import sys
import time

output, *command = sys.argv[1:]
started = time.monotonic()
with open(output, "wb") as file:
    # A checker that finds a violation ends with a code of its own: its output says what it found.
    subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
wall = time.monotonic() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{used.ru_utime + used.ru_stime:.2f} {wall:.2f} {used.ru_maxrss}")
