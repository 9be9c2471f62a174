"""Knock at every door: `python -m tests.chaos.doors --events 4000 --seed 1`."""

import argparse
import sys

from tests.chaos.doors import knock


def main() -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.doors", description=__doc__)
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    tried, broken = knock(options.events, options.seed)
    for line in broken:
        print(line)
    print(f"{tried} events, {len(broken)} violations")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
