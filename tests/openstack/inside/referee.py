"""What openstacksdk says and does. Run with the Python of the services, with the `OS_*` variables of a client.

It reads the ids of images as a JSON list, deletes each, and writes a JSON object: `results` has what became of each of
them, `deleted` or the name of its own exception; `left` the ids of the images that it lists afterwards; `seconds` and
`cpu` what the deletions took, the login included and the import of openstacksdk not. With the argument `find` it looks
each image up before it deletes it.
"""

import json
import sys
import time
from importlib import import_module
from typing import Any


def main() -> None:
    openstack: Any = import_module("openstack")
    ids = json.load(sys.stdin)
    began, cpu = time.perf_counter(), time.process_time()
    connection = openstack.connect()
    find = sys.argv[1:] == ["find"]
    results = {image_id: _delete(connection, openstack.exceptions.SDKException, image_id, find) for image_id in ids}
    spent = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    left = [image.id for image in connection.image.images()]
    json.dump({"results": results, "left": left, **spent}, sys.stdout)


def _delete(connection: Any, error: type[Exception], image_id: str, find: bool) -> str:  # noqa: ANN401, FBT001 (its own)
    try:
        image = connection.image.find_image(image_id, ignore_missing=False) if find else image_id
        connection.image.delete_image(image, ignore_missing=False)
    except error as exc:
        return type(exc).__name__
    return "deleted"


if __name__ == "__main__":
    main()
