"""Fail unless a JSON report holds each of the failures named, shrunk to at most that many steps.

Usage: found.py REPORT "RULE CLASS TIER LAST STEPS"...
"""

import json
import shlex
import sys

report = json.load(open(sys.argv[1], encoding="utf-8"))
failures = report["failures"]
missing = []
for wanted in sys.argv[2:]:
    rule, kind, tier, last, steps = shlex.split(wanted)
    found = [
        failure
        for failure in failures
        if (failure["rule"], failure["class"], failure["tier"], failure["last"]) == (rule, kind, tier, last)
        and failure["shrunk_steps"] <= int(steps)
    ]
    if found:
        print(f"found: {wanted}, after {found[0]['found_after_seconds']:.1f} s")
    else:
        missing.append(wanted)
if missing:
    sys.exit(f"{sys.argv[1]} does not hold: {'; '.join(missing)}")
