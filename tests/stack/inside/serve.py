"""moto's server, with its CloudFormation: prints its address, and serves until its standard input ends.

Run by the Python of `.venv-stack`, never imported by a test.
"""

import importlib
import logging
import sys


def main() -> None:
    logging.getLogger("werkzeug").disabled = True
    server = importlib.import_module("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
