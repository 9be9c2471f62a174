"""`python -m tests.chaos` tries worlds, one a seed, and every door; the last line says what came of it."""

import argparse
import multiprocessing
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from tests.chaos.plan import cast
from tests.chaos.reality import real_cast
from tests.chaos.rounds import BROKEN_OFF, be_ended_in_order, play, read_script, try_doors, try_seed, unless_ended

FOLDER = Path("build/chaos")


def main() -> int:
    """Try as many seeds as was asked for; 1 if anything went wrong, and 130 if somebody has broken it off."""
    options = _options()
    if options.script:
        return _play(options.script)
    seeds, real = range(options.seed, options.seed + options.rounds), options.openstack
    rounds = []
    # A supervisor ends a run in another way than a person does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(2, options.rounds), spawn, be_ended_in_order) as pool:
        for seed in seeds:
            print(f"seed {seed}: {(real_cast if real else cast)(seed, options.concurrency)}", flush=True)
        asked = (options.operations, options.concurrency, FOLDER)
        tried = [pool.submit(unless_ended, partial(try_seed, seed, *asked, real=real)) for seed in seeds]
        tried += [pool.submit(unless_ended, partial(try_doors, seed, options.operations)) for seed in seeds if not real]
        try:
            for done in as_completed(tried):
                rounds.append(done.result())
                print(rounds[-1].told, flush=True)
        except KeyboardInterrupt:
            for worker in multiprocessing.active_children():
                worker.terminate()
            print("broken off")
            return BROKEN_OFF
    operations, violations = sum(one.operations for one in rounds), sum(one.violations for one in rounds)
    print(f"{operations} operations, {violations} violations")
    return 1 if violations else 0


def _play(path: Path) -> int:
    """Tell the story of a script."""
    world = play(read_script(path))
    print("\n".join(world.told))
    for violation in world.violations:
        print(f"VIOLATION: {violation}")
    print(f"{world.operations} operations, {len(world.violations)} violations")
    return 1 if world.violations else 0


def _positive(text: str) -> int:
    """A number of things, of which there is one at least."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


_positive.__name__ = "positive number"  # argparse says it


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--operations", type=_positive, default=10_000, help="image operations of each round")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first round")
    parser.add_argument("--rounds", type=_positive, default=1, help="how many seeds are tried, two at a time")
    parser.add_argument(
        "--concurrency", type=_positive, default=1, help="REAPER_CONCURRENCY; a story repeats only at 1"
    )
    parser.add_argument("--openstack", action="store_true", help="before real Keystone, Glance and Nova, without doors")
    parser.add_argument("--script", type=Path, help="play a script, and tell its story")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
