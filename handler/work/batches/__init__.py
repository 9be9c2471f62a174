"""Messages that come together: who gets a turn, and how long those wait that must come again.

What one invocation may delete is shared out in `turns`, and spent in `rounds`; `waits` says when a message comes again.
"""
