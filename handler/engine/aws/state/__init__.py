"""What outlives an invocation, kept in one table of DynamoDB: counts that all invocations share.

Each kind of item has a module of its own. A deletion that can't be counted is not made.
"""
