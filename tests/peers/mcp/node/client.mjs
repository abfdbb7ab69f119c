// An agent that calls a tool of an MCP server, once for each line of input.
import { createInterface } from 'node:readline';
import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const { MCP_URL = '', ISSUER = '', CLIENT_ID = '', CLIENT_SECRET = '' } = process.env;

const client = new Client({ name: 'agent', version: '1.0.0' });
await client.connect(new StreamableHTTPClientTransport(new URL(MCP_URL), {
  authProvider: new ClientCredentialsProvider({
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    expectedIssuer: ISSUER, // no other server gets the secret
  }),
}));
for await (const _ of createInterface({ input: process.stdin })) {
  const result = await client.callTool({ name: 'whoami' });
  for (const part of result.content) {
    if (part.type === 'text') console.log(part.text);
  }
}
await client.close();
