"""What comes in, and what it asks for.

A table says how each shape of event is recognised and who waits for an answer; a reader for each takes the requests out
of it; the schema says what a request may say.
"""
