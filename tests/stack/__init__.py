"""The stack of template.yaml, created in moto's server and read back: does it come out as the documents promise?

moto's CloudFormation makes what it can, and the service's own API of the same server the rest (`lacking.py` lists
both). Nothing is asked of the template where the created thing can be asked.
"""
