"""An API with Flask and Authlib. GET /cards needs the scope cards."""
import os

import requests
from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.oauth2.rfc7662 import IntrospectTokenValidator
from flask import Flask, abort

INTROSPECT_URL = os.environ["INTROSPECT_URL"]
CREDENTIALS = (os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])

session = requests.Session()  # keeps connections open


class GrantdValidator(IntrospectTokenValidator):
    def introspect_token(self, token_string):
        try:
            response = session.post(
                INTROSPECT_URL, data={"token": token_string}, auth=CREDENTIALS, timeout=5, allow_redirects=False
            )
        except requests.RequestException:
            abort(503)
        if response.status_code != 200:  # says nothing about the token
            abort(503)
        return response.json()


require_oauth = ResourceProtector()
require_oauth.register_token_validator(GrantdValidator())

app = Flask(__name__)


@app.get("/cards")
@require_oauth("cards")
def cards():
    return f"cards for {current_token['sub']}\n"
