import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'openid-client';
import { client, issuer, resource, resourceServer } from './given.js';

const methods = { basic: oauth.ClientSecretBasic, post: oauth.ClientSecretPost };

// discover reads the RFC 8414 document; the library refuses plain http
// by default.
const discover = (who, method) =>
  oauth.discovery(new URL(issuer), who.id, undefined, method(who.secret), {
    algorithm: 'oauth2',
    execute: [oauth.allowInsecureRequests],
  });

for (const [name, method] of Object.entries(methods)) {
  test(`openid-client: token, introspection, revocation with client_secret_${name}`, async () => {
    const as = await discover(client, method);
    assert.equal(as.serverMetadata().issuer, issuer);

    const token = await oauth.clientCredentialsGrant(as, { scope: 'users:read', resource });
    assert.equal(token.token_type, 'bearer'); // the library lower-cases it
    assert.equal(token.scope, 'users:read');
    assert.equal(token.expires_in, 3600);
    assert.equal(token.expiresIn() > 3590, true);
    assert.equal(token.refresh_token, undefined);

    const rs = await discover(resourceServer, method);
    const seen = await oauth.tokenIntrospection(rs, token.access_token, { token_type_hint: 'access_token' });
    assert.equal(seen.active, true);
    assert.equal(seen.client_id, client.id);
    assert.equal(seen.sub, `client:${client.id}`);
    assert.equal(seen.scope, 'users:read');
    assert.equal(seen.aud, resource);
    assert.equal(seen.iss, issuer);
    assert.equal(seen.token_type, 'Bearer');

    await oauth.tokenRevocation(as, token.access_token, { token_type_hint: 'access_token' });
    assert.deepEqual({ ...(await oauth.tokenIntrospection(rs, token.access_token)) }, { active: false });
    await oauth.tokenRevocation(as, token.access_token); // again: no error
  });

  test(`openid-client: errors with client_secret_${name}`, async () => {
    const wrong = await discover({ id: client.id, secret: `${client.secret}x` }, method);
    await assert.rejects(oauth.clientCredentialsGrant(wrong), (err) => {
      // A 401 with a challenge is that class, anything else a response error.
      assert.equal(err.status, 401);
      assert.ok(err instanceof oauth.WWWAuthenticateChallengeError || err.error === 'invalid_client', String(err));
      return true;
    });
    const as = await discover(client, method);
    await assert.rejects(oauth.clientCredentialsGrant(as, { scope: 'introspect' }), { error: 'invalid_scope', status: 400 });
    await assert.rejects(oauth.clientCredentialsGrant(as, { resource: 'https://other.example' }), { error: 'invalid_target', status: 400 });
  });
}
