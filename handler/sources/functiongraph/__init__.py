"""The events of FunctionGraph: those of its timer, of SMN, Kafka and RocketMQ, and traces of CTS, also by EventGrid.

The envelopes are the services' own and may have further fields; the requests in them are read as strictly as any other.
"""
