"""What people read of a run, on AWS: the bucket that keeps reports and plans, and the topic that sends notices.

Both by signed plain HTTP: S3, and SNS.
"""
