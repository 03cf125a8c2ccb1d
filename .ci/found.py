"""Fail unless a JSON report holds each of the failures named, shrunk to at most that many steps.

Usage: found.py [--untested] [--confirmed] REPORT "RULE CLASS TIER LAST STEPS"... "#ISSUE"...

An issue is found if a cause is known by it, and with `--confirmed` was confirmed on complete servers.

Fail too if no cause has a test that was seen to fail, unless `--untested` says that there are no tests. Where no failure is named, list those that the report holds, and fail
only if nothing was tried.
"""

import json
import shlex
import sys

flags = [word for word in sys.argv[1:] if word.startswith("--")]
sys.argv = [word for word in sys.argv if word not in flags]
has_tests = "--untested" not in flags
report = json.load(open(sys.argv[1], encoding="utf-8"))
failures = report["failures"]
causes = report["causes"]
tested = [cause for cause in causes if cause["reproduction"]]
print(f"{len(tested)} of {len(causes)} causes have a test that fails on {report['trial']['version']}")
if has_tests and sys.argv[2:] and not tested:
    sys.exit(f"{sys.argv[1]} has causes, and none with a test")
if not sys.argv[2:]:
    traces = sum(search["swept"] + search["traces"] for search in report["searches"])
    for failure in failures:
        print(*(failure[field] for field in ("rule", "class", "tier", "last", "shrunk_steps", "count")))
    print(f"{len(failures)} kinds of failure in {traces} traces")
    sys.exit(0 if traces else f"{sys.argv[1]} holds no trace")
missing = []
for wanted in sys.argv[2:]:
    if wanted.startswith("#"):
        known = [cause for cause in causes if wanted in (issue["issue"] for issue in cause["known"])]
        if "--confirmed" in flags:
            known = [cause for cause in known if (cause["served"] or {}).get("outcome") == "confirmed"]
        print(f"{wanted}: {[cause['headline'] for cause in known]}")
        missing += [] if known else [wanted]
        continue
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
