import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { client, issuer, resource, resourceServer } from './given.js';

const options = { [oauth.allowInsecureRequests]: true };
const methods = { basic: oauth.ClientSecretBasic, post: oauth.ClientSecretPost };

async function discover() {
  const url = new URL(issuer);
  const response = await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...options });
  return oauth.processDiscoveryResponse(url, response);
}

test('oauth4webapi: the metadata names what is there', async () => {
  const as = await discover();
  assert.equal(as.issuer, issuer);
  assert.deepEqual(as.grant_types_supported, ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange']);
  for (const endpoint of ['token', 'introspection', 'revocation']) {
    assert.ok(as[`${endpoint}_endpoint`].startsWith(`${issuer}/oauth/`), endpoint);
    for (const method of Object.keys(methods)) {
      assert.ok(as[`${endpoint}_endpoint_auth_methods_supported`].includes(`client_secret_${method}`), endpoint);
    }
  }
});

for (const [name, method] of Object.entries(methods)) {
  test(`oauth4webapi: token, introspection, revocation with client_secret_${name}`, async () => {
    const as = await discover();
    const me = { client_id: client.id };
    const mine = method(client.secret);
    const parameters = new URLSearchParams({ scope: 'users:read users:write', resource });
    const token = await oauth.processClientCredentialsResponse(
      as, me, await oauth.clientCredentialsGrantRequest(as, me, mine, parameters, options));
    assert.equal(token.scope, 'users:read users:write');
    assert.equal(token.expires_in, 3600);

    const rs = { client_id: resourceServer.id };
    const introspect = async () =>
      oauth.processIntrospectionResponse(
        as, rs, await oauth.introspectionRequest(as, rs, method(resourceServer.secret), token.access_token, options));
    const seen = await introspect();
    assert.equal(seen.active, true);
    assert.equal(seen.client_id, client.id);
    assert.equal(seen.aud, resource);

    await oauth.processRevocationResponse(await oauth.revocationRequest(as, me, mine, token.access_token, options));
    assert.deepEqual({ ...(await introspect()) }, { active: false });
  });

  test(`oauth4webapi: errors with client_secret_${name}`, async () => {
    const as = await discover();
    const me = { client_id: client.id };
    const ask = async (secret, parameters) =>
      oauth.processClientCredentialsResponse(
        as, me, await oauth.clientCredentialsGrantRequest(as, me, method(secret), new URLSearchParams(parameters), options));
    await assert.rejects(ask(`${client.secret}x`, {}), (err) => {
      assert.equal(err.status, 401);
      assert.ok(err instanceof oauth.WWWAuthenticateChallengeError || err.error === 'invalid_client', String(err));
      return true;
    });
    await assert.rejects(ask(client.secret, { scope: 'nonsense' }), { error: 'invalid_scope', status: 400 });
  });
}

const signed = { ...options, requestJwtResponse: true };

// verify fails unless a key of jwks_uri made the signature of the response.
const verify = (as, response) => oauth.validateApplicationLevelSignature(as, response, options);

test('oauth4webapi: introspection with a signed response (RFC 9701), verified with the keys of jwks_uri', async () => {
  const as = await discover();
  assert.equal(as.jwks_uri, `${issuer}/oauth/jwks`);
  assert.deepEqual(as.introspection_signing_alg_values_supported, ['ES256']);
  const rs = { client_id: resourceServer.id, introspection_signed_response_alg: 'ES256' };
  const ask = (token) => oauth.introspectionRequest(as, rs, oauth.ClientSecretBasic(resourceServer.secret), token, signed);

  const me = { client_id: client.id };
  const token = await oauth.processClientCredentialsResponse(
    as, me, await oauth.clientCredentialsGrantRequest(as, me, oauth.ClientSecretBasic(client.secret), new URLSearchParams({ resource }), options));
  const response = await ask(token.access_token);
  assert.equal(response.headers.get('content-type'), 'application/token-introspection+jwt');
  const text = await response.clone().text();
  const seen = await oauth.processIntrospectionResponse(as, rs, response);
  await verify(as, response);
  assert.equal(seen.active, true);
  assert.equal(seen.client_id, client.id);
  assert.equal(seen.aud, resource);

  const unknown = await ask('made-up');
  assert.deepEqual({ ...(await oauth.processIntrospectionResponse(as, rs, unknown)) }, { active: false });
  await verify(as, unknown);

  // another resource server does not take the response for its own
  await assert.rejects(oauth.processIntrospectionResponse(as, { ...rs, client_id: 'another' }, answer(text)));

  // a response that was changed on its way
  const [head, body, signature] = text.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url'));
  claims.token_introspection.scope = 'admin:write';
  const forged = answer([head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.'));
  assert.equal((await oauth.processIntrospectionResponse(as, rs, forged)).scope, 'admin:write');
  await assert.rejects(verify(as, forged));
});

// answer returns a response with the body of a signed introspection.
function answer(body) {
  return new Response(body, { headers: { 'content-type': 'application/token-introspection+jwt' } });
}
