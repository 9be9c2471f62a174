"""The built artifact under the Lambda runtime, fed by a real queue API."""
