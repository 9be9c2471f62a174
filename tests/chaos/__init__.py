"""A simulated world in which everything goes wrong that can, and doors at which anything may knock.

One seed gives one schedule of what happens and what fails. The real handler runs in processes of its own, before the
fake cloud behind real HTTP. `plan` makes the schedule of a seed, `world` carries it out, `history` writes down what
truly happened, and `observer` says what was wrong about it; it shares no code with the handler. `shrink` makes a short
script of a long run that failed. `doors` sends every source events of all shapes.
"""
