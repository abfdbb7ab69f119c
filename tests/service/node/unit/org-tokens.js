import assert from 'node:assert/strict';
import { test } from 'node:test';
import sdk from '@unit-finance/unit-node-sdk';
import { issuer, resourceServer } from '../given.js';

// TestUnitOrgTokens passes these: the token of a client of an org, a customer of the
// org, and the code that is right.
const { UNIT_TOKEN: bearer, UNIT_CUSTOMER: customer, UNIT_CODE: code } = process.env;
const unit = new sdk.Unit(bearer, issuer);

async function introspect(token) {
  const response = await fetch(`${issuer}/oauth/introspect`, {
    method: 'POST',
    body: new URLSearchParams({ token, client_id: resourceServer.id, client_secret: resourceServer.secret }),
  });
  assert.equal(response.status, 200);
  return response.json();
}

test('unit-node-sdk: an org API token is made, listed and revoked', async () => {
  const expiration = new Date(Date.now() + 30 * 24 * 3600 * 1000).toISOString();
  const made = await unit.orgTokens.create('2', {
    type: 'apiToken',
    attributes: { description: 'Production token', scope: 'customers cards', expiration, sourceIp: '192.0.2.1,2001:db8::/48' },
  });
  assert.equal(made.data.type, 'apiToken');
  assert.equal(made.data.attributes.description, 'Production token');
  assert.equal(Date.parse(made.data.attributes.expiration), Math.floor(Date.parse(expiration) / 1000) * 1000);
  assert.match(made.data.attributes.token, /^gk_sandbox_[0-9A-Za-z]{8}_[\w-]{43}$/);
  const seen = await introspect(made.data.attributes.token);
  assert.equal(seen.active, true);
  assert.equal(seen.token_use, 'key');
  assert.equal(seen.jti, made.data.id);
  assert.equal(seen.client_id, undefined);

  const listed = await unit.orgTokens.list('2');
  assert.deepEqual(listed.data.map((key) => key.id), [made.data.id]);
  assert.equal(listed.data[0].attributes.token, undefined);
  assert.equal(listed.data[0].attributes.sourceIp.split(',').length, 2);

  const revoked = await unit.orgTokens.revoke('2', made.data.id);
  assert.equal(revoked.data.id, made.data.id);
  assert.deepEqual((await unit.orgTokens.list('2')).data, []);
  assert.deepEqual(await introspect(made.data.attributes.token), { active: false });
});

test('unit-node-sdk: what is refused is an error of the SDK', async () => {
  const refused = (attributes, status, pointer) => assert.rejects(
    unit.orgTokens.create('2', { type: 'apiToken', attributes: { description: 'd', scope: 'cards', ...attributes } }),
    (err) => {
      assert.equal(err.isUnitError, true);
      assert.equal(String(err.errors[0].status), status);
      assert.equal(err.errors[0].source?.pointer, pointer);
      return true;
    },
  );
  await refused({ scope: 'payments' }, '403', '/data/attributes/scope');
  await refused({ scope: 'admin:read' }, '400', '/data/attributes/scope');
  await refused({ expiration: '2020-01-01T00:00:00Z' }, '400', '/data/attributes/expiration');
  await assert.rejects(unit.orgTokens.revoke('2', 'Zz9Zz9Zz'), (err) => String(err.errors[0].status) === '404');
});

test('unit-node-sdk: a customer token, with a code in French', async () => {
  const verification = await unit.customerToken.createTokenVerification(customer, {
    type: 'customerTokenVerification',
    attributes: { channel: 'sms', language: 'fr' },
  });
  const made = await unit.customerToken.createToken(customer, {
    type: 'customerToken',
    attributes: {
      scope: 'customers cards-write',
      verificationToken: verification.data.attributes.verificationToken,
      verificationCode: code,
    },
  });
  assert.equal(made.data.type, 'customerBearerToken');
  const seen = await introspect(made.data.attributes.token);
  assert.equal(seen.token_use, 'customer');
  assert.equal(seen.customer_id, customer);
});
