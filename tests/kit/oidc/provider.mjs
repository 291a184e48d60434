// An OpenID provider with a login page: node provider.mjs PORT CALLBACK
import * as oidc from 'oidc-provider';

const Provider = oidc.Provider ?? oidc.default;
const [port, callback] = process.argv.slice(2);
const people = {
  alice: { email: 'alice@example.test', email_verified: true, groups: ['developers'], preferred_username: 'alice', name: 'Alice Archer' },
  eve: { email: 'admin@example.test', email_verified: false, preferred_username: 'eve' },
};
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'registry', client_secret: 'geheim', redirect_uris: [callback],
    grant_types: ['authorization_code'], response_types: ['code'],
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username', 'name'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id, ...people[id] }) }),
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true },
  cookies: { keys: ['of a test'] },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
