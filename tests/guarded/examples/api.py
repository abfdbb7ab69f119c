"""An API in Python. It asks a grantd edge beside it about the token of each request."""
import base64, json, os, re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode
from urllib.request import Request, urlopen

EDGE, PORT = os.environ["EDGE"], int(os.environ["PORT"])
CREDENTIALS = base64.b64encode(f"{os.environ['CLIENT_ID']}:{os.environ['CLIENT_SECRET']}".encode()).decode()


def check(authorization, address, scope):
    """Returns the status for a request, and its challenge or its token."""
    bearer = re.fullmatch(r"bearer +([\w.~+/-]+=*)", authorization or "", re.IGNORECASE | re.ASCII)
    if not bearer:
        return 401, "Bearer"
    form = urlencode({"token": bearer[1], "source_ip": address}).encode()
    request = Request(f"{EDGE}/oauth/introspect", form, {"Authorization": f"Basic {CREDENTIALS}"})
    try:
        with urlopen(request, timeout=5) as response:
            about = json.load(response)
    except OSError:  # no response, or a status that is not 200
        return 503, None
    if not about["active"]:
        return 401, 'Bearer error="invalid_token"'
    if scope not in about["scope"].split():
        return 403, f'Bearer error="insufficient_scope", scope="{scope}"'
    return 200, about


class API(BaseHTTPRequestHandler):
    def do_GET(self):
        status, result = check(self.headers["Authorization"], self.client_address[0], "users:read")
        self.send_response(status)
        if status in (401, 403):
            self.send_header("WWW-Authenticate", result)
        if status == 503:
            self.send_header("Retry-After", "1")
        self.end_headers()
        if status == 200:
            self.wfile.write(f"hello, {result['sub']}\n".encode())


print(f"ready api=http://127.0.0.1:{PORT}", flush=True)
ThreadingHTTPServer(("127.0.0.1", PORT), API).serve_forever()
