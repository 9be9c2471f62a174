"""What outlives an invocation, kept in one table of DynamoDB: counts that all invocations share.

Each kind of item has a module of its own. Whatever can't be counted is not done.
"""
