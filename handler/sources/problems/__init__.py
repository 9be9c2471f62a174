"""What is said of an event or a request that is wrong: where, what it must be instead, and what may have been meant.

Words for a person, in place of those of the libraries that read it. Nothing here is loaded before something is wrong.
"""
