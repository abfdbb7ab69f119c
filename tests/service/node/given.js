// What the Go test passes: a running grantd and the credentials of a client
// and of a resource server.
function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this by \`go test ./tests/service\``);
  return value;
}

export const issuer = need('ISSUER');
export const resource = need('RESOURCE');
export const client = { id: need('CLIENT_ID'), secret: need('CLIENT_SECRET') };
export const resourceServer = { id: need('RS_ID'), secret: need('RS_SECRET') };
