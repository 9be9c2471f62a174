"""The events of FunctionGraph: of its timer, of SMN, of Kafka and RocketMQ, and traces of CTS, also by EventGrid.

The envelopes are the service's own and may have any further field; what they carry is as strict as everywhere.
"""
