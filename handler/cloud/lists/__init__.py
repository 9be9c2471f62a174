"""What long lists need: the next page is read while this one is looked at, and an id takes eight bytes.

A project may have a million images. A list of them must neither wait for the cloud at every page nor fill the memory.
"""
