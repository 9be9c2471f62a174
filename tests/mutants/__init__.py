"""Mutants: small faults that are set into the code, one at a time, to find out whether the tests notice them.

`make mutants` draws a sample of all mutants of the code that decides about deletions, the same for the same code unless
SEED or SAMPLE say otherwise, and lets the tests loose on each. What a mutant is comes from mutmut: a condition turned
round, a number off by one, an argument left out, a text changed. Its own runner sets them into functions only, and
leaves out the tables (what the answers of the cloud mean), the properties and the validators, which decide here as
well. So the mutants are made by mutmut, in an environment of its own (`making`), and tried here, each as a module that
is written into a copy of the tree under build/ and loaded anew (`trial`).

A mutant that no test fails on survives. Either a test is missing, or the mutant is the same program: then it stands in
`same_program.toml`, with the reason. A survivor that does not stand there fails the run, and so does an entry whose
mutant is killed or exists no more. An entry names the function and the lines that differ, so that it holds wherever the
function moves.

The tests are those of `make test-fast`, and those of `faults/` that do not wait for time to pass. The ones that run the
function in question come first, those that run little else before the others; in the end a survivor has met all of
them. A mutant that hangs is killed by time-out: no test takes nearly as long.
"""
