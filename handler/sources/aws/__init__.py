"""What AWS sends: records of SQS and SNS in `records`, events of EventBridge in `bus`, calls of CloudFormation in `stack`.
"""
