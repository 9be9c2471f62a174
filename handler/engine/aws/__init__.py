"""The engine of AWS Lambda: Secrets Manager, DynamoDB, SQS, CloudFormation and Auto Scaling, by signed plain HTTP.

No SDK: boto3 would be most of a cold start, for five calls.
"""
