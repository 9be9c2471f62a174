"""What AWS sends, read into messages.

Records of SQS and SNS in `records`, events of EventBridge in `bus`, calls of CloudFormation in `stack`.
"""
