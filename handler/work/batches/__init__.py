"""Messages that come together: which of them get a turn, and when the others come again.

`turns` shares out what one invocation may delete, `rounds` spends it, and `postponements` says how long messages wait.
"""
