"""The engine of AWS Lambda: Secrets Manager, DynamoDB, SQS, S3, SNS, CloudFormation and Auto Scaling, by plain HTTP.

No SDK: boto3 would be most of a cold start, for a few calls.
"""
