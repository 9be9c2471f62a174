"""What outlives an invocation, kept in one table of DynamoDB: counts that all invocations share, and the stop flag.

Each kind of item has a module of its own. Without the table, nothing is deleted.
"""
