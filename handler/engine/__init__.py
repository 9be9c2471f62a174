"""What depends on the engine that runs the function, behind ports that name no engine.

An engine keeps secrets, counts what all invocations do together, takes work that is handed over, and has callers of its
own that wait for an answer. `ports` says what a run asks for; each engine has a folder that answers.
"""
