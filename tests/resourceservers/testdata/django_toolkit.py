"""An API with Django REST framework and django-oauth-toolkit. GET /cards needs the scope cards.

One file has the settings, the validator and the view, which a project has in several.
"""
import os
from datetime import datetime, timezone

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="not used",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider", "rest_framework"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": ["oauth2_provider.contrib.rest_framework.OAuth2Authentication"]},
    OAUTH2_PROVIDER={
        "RESOURCE_SERVER_INTROSPECTION_URL": os.environ["INTROSPECT_URL"],
        "RESOURCE_SERVER_INTROSPECTION_CREDENTIALS": (os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]),
        "OAUTH2_VALIDATOR_CLASS": __name__ + ".GrantdValidator",
        "SCOPES": {"cards": "Read cards"},
    },
)
django.setup()

import requests  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from oauth2_provider.contrib.rest_framework import TokenHasScope  # noqa: E402
from oauth2_provider.models import AccessToken  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402
from rest_framework.exceptions import APIException  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

session = requests.Session()  # keeps connections open


class Unavailable(APIException):
    status_code = 503
    default_detail = "Whether the token is active is not known."


class GrantdValidator(OAuth2Validator):
    """Asks grantd for each request. It reads and writes no table of tokens."""

    def validate_bearer_token(self, token, scopes, request):
        if "Authorization" not in request.headers:  # the token was in the URL or in the body
            return False
        return super().validate_bearer_token(token, scopes, request)

    def _load_access_token(self, token):
        return None

    def _get_token_from_authentication_server(self, token, introspection_url, introspection_token, introspection_credentials):
        try:
            response = session.post(
                introspection_url, data={"token": token}, auth=introspection_credentials, timeout=5, allow_redirects=False
            )
        except requests.RequestException:
            raise Unavailable()
        if response.status_code != 200:  # says nothing about the token
            raise Unavailable()
        body = response.json()
        if body["active"] is not True:
            return None
        expires = datetime.fromtimestamp(body["exp"], timezone.utc)
        found = AccessToken(scope=body["scope"], expires=expires)  # is not saved
        found.subject = body["sub"]
        return found


class Cards(APIView):
    permission_classes = [TokenHasScope]
    required_scopes = ["cards"]

    def get(self, request):
        return Response(f"cards for {request.auth.subject}")


urlpatterns = [path("cards", Cards.as_view())]
app = get_wsgi_application()
