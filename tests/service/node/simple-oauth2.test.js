import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientCredentials } from 'simple-oauth2';
import { client, issuer, resourceServer, resource } from './given.js';

// No discovery here: the operator writes the paths down.
const auth = { tokenHost: issuer, tokenPath: '/oauth/token', revokePath: '/oauth/revoke' };

async function introspect(token) {
  const response = await fetch(`${issuer}/oauth/introspect`, {
    method: 'POST',
    body: new URLSearchParams({ token, client_id: resourceServer.id, client_secret: resourceServer.secret }),
  });
  assert.equal(response.status, 200);
  return response.json();
}

for (const authorizationMethod of ['header', 'body']) {
  test(`simple-oauth2: token and revocation, credentials in the ${authorizationMethod}`, async () => {
    const credentials = new ClientCredentials({ client, auth, options: { authorizationMethod } });
    const token = await credentials.getToken({ scope: ['users:read', 'users:write'], resource });
    assert.equal(token.expired(), false);
    assert.equal(token.token.scope, 'users:read users:write');
    assert.equal((await introspect(token.token.access_token)).active, true);

    await token.revoke('access_token'); // fails unless the 200 says that it is JSON
    assert.deepEqual(await introspect(token.token.access_token), { active: false });
  });

  test(`simple-oauth2: wrong secret in the ${authorizationMethod}`, async () => {
    const wrong = { id: client.id, secret: `${client.secret}x` };
    const credentials = new ClientCredentials({ client: wrong, auth, options: { authorizationMethod } });
    await assert.rejects(credentials.getToken({}), (err) => {
      assert.equal(err.output.statusCode, 401);
      return true;
    });
  });
}

test('simple-oauth2: a token request as JSON', async () => {
  const credentials = new ClientCredentials({ client, auth, options: { authorizationMethod: 'body', bodyFormat: 'json' } });
  const token = await credentials.getToken({ scope: 'users:read' });
  assert.equal((await introspect(token.token.access_token)).active, true);
});
