import assert from 'node:assert/strict';
import { test } from 'node:test';
import sdk from '@unit-finance/unit-node-sdk';

// TestUnitSDK passes these: a running grantd, a backend, an API that introspects, and a
// business customer with the authorized user 20. Each code is 000001.
const { ISSUER: issuer, CUSTOMER: customer, BACKEND_SECRET: secret, API_SECRET: apiSecret } = process.env;

// unit returns Unit's own library with grantd as its server.
async function unit() {
  const response = await fetch(`${issuer}/oauth/token`, {
    method: 'POST',
    headers: { Authorization: `Basic ${Buffer.from(`backend:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  assert.equal(response.status, 200);
  const { access_token: token } = await response.json();
  return new sdk.Unit(token, issuer);
}

async function introspect(token) {
  const response = await fetch(`${issuer}/oauth/introspect`, {
    method: 'POST',
    body: new URLSearchParams({ token, client_id: 'api', client_secret: apiSecret }),
  });
  assert.equal(response.status, 200);
  return response.json();
}

test('unit-node-sdk: a customer token', async () => {
  const { customerToken } = await unit();
  const { data } = await customerToken.createToken(customer, { type: 'customerToken', attributes: { scope: 'customers cards', expiresIn: 300 } });
  assert.equal(data.type, 'customerBearerToken');
  assert.equal(data.attributes.expiresIn, 300);
  const token = await introspect(data.attributes.token);
  assert.equal(token.scope, 'customers cards');
  assert.equal(token.customer_id, customer);
  assert.equal(token.authorized_user_id, undefined);
});

test('unit-node-sdk: a customer token with a code, asked for in French', async () => {
  const { customerToken } = await unit();
  const asked = await customerToken.createTokenVerification(customer, {
    type: 'customerTokenVerification', attributes: { channel: 'sms', language: 'fr' },
  });
  assert.equal(asked.data.type, 'customerTokenVerification');
  const { verificationToken } = asked.data.attributes;
  const { data } = await customerToken.createToken(customer, {
    type: 'customerToken', attributes: { scope: 'cards cards-write', verificationToken, verificationCode: '000001' },
  });
  const token = await introspect(data.attributes.token);
  assert.equal(token.scope, 'cards cards-write');
  assert.deepEqual(token.amr, ['otp']);
});

test('unit-node-sdk: a customer token of an authorized user', async () => {
  const { customerToken } = await unit();
  const { data } = await customerToken.createToken(customer, {
    type: 'customerToken', attributes: { scope: 'cards' },
    relationships: { authorizedUserResource: { data: { type: 'authorizedUser', id: '20' } } },
  });
  assert.equal((await introspect(data.attributes.token)).authorized_user_id, '20');
});

test('unit-node-sdk: what is refused', async () => {
  const { customerToken } = await unit();
  const refused = async (promise, status, pointer) => {
    const e = await promise.then(() => assert.fail('accepted'), (reason) => reason);
    assert.equal(e.errors[0].status, status);
    assert.equal(e.errors[0].source?.pointer, pointer);
  };
  await refused(customerToken.createTokenVerification(customer, {
    type: 'customerTokenVerification', attributes: { channel: 'sms', language: 'fr-FR' },
  }), '400', '/data/attributes/language');
  await refused(customerToken.createToken(customer, { type: 'customerToken', attributes: { scope: 'cards-write' } }), '403', '/data/attributes/scope');
  await refused(customerToken.createToken(customer, {
    type: 'customerToken', attributes: { scope: 'cards' }, relationships: { authorizedUserResource: { data: { type: 'authorizedUser', id: '21' } } },
  }), '400', '/data/relationships/authorizedUserResource/data/id');
  await refused(customerToken.createToken('nobody', { type: 'customerToken', attributes: { scope: 'cards' } }), '404', undefined);
});
