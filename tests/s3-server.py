"""The S3 server of the tests on 127.0.0.1: `s3-server.py PORT`.

moto answers each request on a thread of its own and looks whether an object is there before it writes: of two creates at
one moment both may win, which `walkforward` notices and refuses to deploy on. Here one request is answered at a time.
"""

import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

answer = DomainDispatcherApplication(create_backend_app)
turn = threading.Lock()


def in_turn(environ, start_response):
    with turn:
        return answer(environ, start_response)


run_simple("127.0.0.1", int(sys.argv[1]), in_turn, threaded=True, request_handler=MotoRequestHandler)
