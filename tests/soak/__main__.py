"""Soak tests: long runs that look for what a test of one fact does not find.

    python -m tests.soak conformance [--runs N] [--busy N] [--jobs N] [SUBJECT ...]
    python -m tests.soak hostile [--requests N] [--seed S] [--clients N]
    python -m tests.soak kills [--kills N] [--large M] [--seed S]
    python -m tests.soak leaks [--tests N] [-n PROCESSES]
    python -m tests.soak processes [--runs N] [--kills M] [--seed S]
    python -m tests.soak upstream [--runs N] [--seed S]

Each prints a summary, and exits with 1 when something is wrong.
"""

from __future__ import annotations

import argparse
import sys

from tests.soak.conformance import soak_conformance, subjects
from tests.soak.hostile import soak_hostile
from tests.soak.kills import soak_kills
from tests.soak.leaks import soak_leaks
from tests.soak.processes import soak_processes
from tests.soak.upstream import soak_upstream


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    kinds = parser.add_subparsers(dest="kind", required=True)
    checks = kinds.add_parser("conformance", help="checks of good subjects, on a busy machine")
    checks.add_argument("only", metavar="SUBJECT", nargs="*", help=", ".join(subjects()))
    checks.add_argument("--runs", type=int, default=20, help="of each subject")
    checks.add_argument("--busy", type=int, default=4, help="processes that compute meanwhile")
    checks.add_argument("--jobs", type=int, help="passed to the checks")
    hostile = kinds.add_parser("hostile", help="mutated requests, signed and not, http and https")
    hostile.add_argument("--requests", type=int, default=100_000)
    hostile.add_argument("--seed", type=int, default=0)
    hostile.add_argument("--clients", type=int, default=2, help="client processes")
    kills = kinds.add_parser("kills", help="kills of an isolated worker during runs")
    kills.add_argument("--kills", type=int, default=100)
    kills.add_argument("--large", type=int, default=10, help="of them while a result is told")
    kills.add_argument("--seed", type=int, default=0)
    leaks = kinds.add_parser("leaks", help="what is left after thousands of tests")
    leaks.add_argument("--tests", type=int, default=1000)
    leaks.add_argument("-n", type=int, default=0, help="processes of pytest-xdist; 0: without")
    processes = kinds.add_parser("processes", help="kills among tasks of runner=processes")
    processes.add_argument("--runs", type=int, default=1000)
    processes.add_argument("--kills", type=int, default=100)
    processes.add_argument("--seed", type=int, default=0)
    upstream = kinds.add_parser("upstream", help="runs and cancels in front of upstream")
    upstream.add_argument("--runs", type=int, default=1000)
    upstream.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.kind == "conformance":
        wrong = soak_conformance(arguments.runs, arguments.busy, arguments.only, arguments.jobs)
    elif arguments.kind == "hostile":
        wrong = soak_hostile(arguments.requests, arguments.seed, arguments.clients)
    elif arguments.kind == "kills":
        wrong = soak_kills(arguments.kills, arguments.large, arguments.seed)
    elif arguments.kind == "processes":
        wrong = soak_processes(arguments.runs, arguments.kills, arguments.seed)
    elif arguments.kind == "upstream":
        wrong = soak_upstream(arguments.runs, arguments.seed)
    else:
        wrong = soak_leaks(arguments.tests, arguments.n)
    for each in wrong:
        print(f"WRONG: {each}")
    print(f"{len(wrong)} wrong" if wrong else "nothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
