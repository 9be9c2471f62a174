"""One run of a command: how it is begun, what it may change, and how Ctrl-C ends it.

A command at a terminal may have two: the rehearsal that a person is shown, and what is done after the answer.
"""
