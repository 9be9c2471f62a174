"""The command of a shell: what a person asks for, and what is shown of it.

A command is read into what is asked for, carried out by the same composition as any event, and shown on a screen. What
it leaves are files: the journal of an armed run, a plan, a page. None of this is in the function's artifact.
"""
