"""Serves the WSGI application app of the module that is named, on a free port."""
import importlib
import socketserver
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Handler(WSGIRequestHandler):
    def log_message(self, *args):
        pass


app = importlib.import_module(sys.argv[1]).app
server = make_server("127.0.0.1", 0, app, Server, Handler)
print(f"ready http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
