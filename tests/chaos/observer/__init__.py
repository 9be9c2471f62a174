"""The observer of a simulated world: it decides whether something went wrong, and shares no code with the handler.

`judging` is its door. `index` finds quickly what happened, `settings` and `asked` read what an invocation was given,
`reading` the tags and times of an image. `rules`, `policy` and `marks` are a second reading of what may go;
`deletions`, `stopped`, `rivals`, `changes`, `messages`, `telling`, `proofs`, `released`, `leaks` and `windows` hold an
invocation, or the whole world, against it.
"""
