// A real OpenID Connect issuer for the tests: npm's oidc-provider on a free port of the loopback interface.
//
//     node server.mjs FOLDER        FOLDER holds node_modules (tests/providers/prepare)
//
// It prints its address as one line of JSON on standard output. Users enter a name and approve or deny; passwords are
// not needed. The library does everything about OAuth. Its version is the newest one for Node.js 18, which is in Debian 12.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';

// Standard output is only for the address.
console.info = console.error;

const { default: Provider } = await import(createRequire(`${process.argv[2]}/`).resolve('oidc-provider'));

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

// A public native client. These addresses are valid with any port (RFC 8252 section 7.3).
const client = (client_id) => ({
  client_id,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE],
  redirect_uris: ['localhost', '127.0.0.1', '[::1]'].flatMap((host) => [`http://${host}`, `http://${host}/callback`]),
});

// The same with a secret, which each client can send in one place only; discovery lists both.
const confidential = (client_id, token_endpoint_auth_method) => ({
  ...client(client_id),
  client_secret: 's3cret: with+odd%signs',
  token_endpoint_auth_method,
});

const configuration = {
  clients: [
    client('kubernetes'),
    client('without-pkce'),
    confidential('by-header', 'client_secret_basic'),
    confidential('by-body', 'client_secret_post'),
  ],
  pkce: { required: (_, { clientId }) => clientId !== 'without-pkce' },
  claims: { openid: ['sub'], email: ['email'], groups: ['groups'] },
  // Clusters read the ID token, so the claims have to be in it, not only at the userinfo endpoint.
  conformIdTokenClaims: false,
  findAccount: (_, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, email: `${accountId}@contoso.example`, groups: ['developers', 'on-call'] }),
  }),
  issueRefreshToken: (_, { grantTypes }) => grantTypes.includes('refresh_token'),
  rotateRefreshToken: true,
  features: { devInteractions: { enabled: false }, deviceFlow: { enabled: true }, revocation: { enabled: true } },
  interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
  cookies: { keys: [randomBytes(16).toString('hex')] },
};

const page = (title, body) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>`;

const FORM = page('Sign in', `<form method="post">
<p><label>Name <input name="login" pattern="[a-z]+" autofocus></label></p>
<p><button name="answer" value="approve">Approve</button> <button name="answer" value="deny" formnovalidate>Deny</button></p>
</form>`);

// The user's decision: the account and the consent in one step, or an error for the client.
async function decide(provider, { params, grantId }, answer) {
  if (answer.get('answer') !== 'approve') {
    return { error: 'access_denied', error_description: 'The user denied the request' };
  }
  const accountId = answer.get('login');
  const grant = (grantId && (await provider.Grant.find(grantId))) || new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return { login: { accountId }, consent: { grantId: await grant.save() } };
}

async function signIn(provider, request, response) {
  const details = await provider.interactionDetails(request, response);
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html; charset=utf-8').end(FORM);
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  const result = await decide(provider, details, new URLSearchParams(body));
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, configuration);
for (const event of ['authorization.error', 'grant.error', 'refresh_token.error', 'server_error']) {
  provider.on(event, (_, error) => console.error(event, error));
}
const handle = provider.callback();
server.on('request', (request, response) => {
  console.error(request.method, request.url);
  if (!request.url.startsWith('/sign-in/')) {
    handle(request, response);
    return;
  }
  signIn(provider, request, response).catch((error) => {
    // An address from the browser history, whose sign-in is over.
    console.error(error);
    response.writeHead(400, { 'content-type': 'text/html; charset=utf-8' }).end(page('This sign-in is over', ''));
  });
});
console.log(JSON.stringify({ issuer }));
