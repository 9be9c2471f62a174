"""`python -m tests.chaos`: tries worlds, one a seed."""

import argparse, sys, time
from tests.chaos import plan
from tests.chaos.world import World


def run(seed, operations, story=False):
    begun = time.time()
    with World(plan.cast(seed), seed) as world:
        for step in plan.steps(seed):
            world.carry_out([step])
            if world.operations >= operations or world.violations:
                break
        world.end()
        if story:
            print("\n".join(world.told))
        print(
            seed,
            world.operations,
            len(world.history.invocations),
            len(world.history.requests),
            world.violations[:3],
            round(time.time() - begun, 1),
        )
    return world


import faulthandler, signal
faulthandler.register(signal.SIGUSR1)
if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), len(sys.argv) > 3)
