// An API in Node.js. It asks a grantd edge beside it about the token of each request.
import { createServer } from 'node:http';

const { EDGE, CLIENT_ID, CLIENT_SECRET, PORT } = process.env;
const authorization = 'Basic ' + Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString('base64');

// check returns the status for a request, and its challenge or its token.
async function check(req, scope) {
  const token = /^bearer +([\w.~+/-]+=*)$/i.exec(req.headers.authorization ?? '')?.[1];
  if (!token) return { status: 401, challenge: 'Bearer' };
  const body = new URLSearchParams({ token, source_ip: req.socket.remoteAddress });
  const response = await fetch(`${EDGE}/oauth/introspect`, { method: 'POST', headers: { authorization }, body });
  if (response.status !== 200) return { status: 503 };
  const about = await response.json();
  if (!about.active) return { status: 401, challenge: 'Bearer error="invalid_token"' };
  if (!about.scope.split(' ').includes(scope)) {
    return { status: 403, challenge: `Bearer error="insufficient_scope", scope="${scope}"` };
  }
  return { status: 200, about };
}

createServer(async (req, res) => {
  const { status, challenge, about } = await check(req, 'users:read').catch(() => ({ status: 503 }));
  if (challenge) res.setHeader('WWW-Authenticate', challenge);
  if (status === 503) res.setHeader('Retry-After', '1');
  res.writeHead(status).end(status === 200 ? `hello, ${about.sub}\n` : '');
}).listen(Number(PORT), '127.0.0.1', () => console.log(`ready api=http://127.0.0.1:${PORT}`));
