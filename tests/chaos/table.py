"""The state table of a world, which is moto's: it keeps the conditions that DynamoDB keeps."""

import json

from tests.aws import REGION, Moto
from tests.fakecloud.api import Headers, Reply, Request

TABLE = "chaos-state"
_CREATED = {
    "TableName": TABLE,
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
_FLAG = {"id": {"S": "stop"}}
JSON = "application/x-amz-json-1.0"


class Table:
    """A table as template.yaml makes it; made when it is first asked."""

    def __init__(self) -> None:
        self._moto: Moto | None = None

    def answer(self, request: Request) -> Reply:
        """Carry out a request."""
        done = self._ask(self._there(), request.headers["X-Amz-Target"], request.body)
        return Reply(done.status, {"Content-Type": JSON}, done.body)

    def stop(self) -> None:
        """Write the stop flag, as an operator does."""
        self._ask(self._there(), "DynamoDB_20120810.PutItem", json.dumps({"TableName": TABLE, "Item": _FLAG}).encode())

    def go(self) -> None:
        """Take it away."""
        self._ask(
            self._there(), "DynamoDB_20120810.DeleteItem", json.dumps({"TableName": TABLE, "Key": _FLAG}).encode()
        )

    def _there(self) -> Moto:
        if self._moto is None:
            self._moto = Moto()
            # moto has one table of this name in a process: a world would go on with the counts of the one before.
            for action, said in (("DeleteTable", {"TableName": TABLE}), ("CreateTable", _CREATED)):
                self._ask(self._moto, f"DynamoDB_20120810.{action}", json.dumps(said).encode())
        return self._moto

    def _ask(self, moto: Moto, target: str, body: bytes) -> Reply:
        # It is by the signature that moto knows whom a request is for.
        scope = f"Credential=x/20310517/{REGION}/dynamodb/aws4_request, SignedHeaders=host, Signature=x"
        headers = {"X-Amz-Target": target, "Authorization": f"AWS4-HMAC-SHA256 {scope}", "Content-Type": JSON}
        return moto.handle(Request("POST", "/", headers=Headers(headers), body=body))
