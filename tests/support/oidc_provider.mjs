// A certified OpenID Connect provider for tests: `node oidc_provider.mjs PORT SETTINGS`, where SETTINGS is JSON:
//   {clients: [{client_id, client_secret, redirect_uris}], accounts: {login: {claims}}}
// It prints "ready" once it answers, and signs in whoever types a login. What it asks is its own page, without consent.
import Provider from "oidc-provider";

const [port, settings] = [Number(process.argv[2]), JSON.parse(process.argv[3])];

const FORM = `<!doctype html><html lang="en"><title>Example ID</title><link rel="icon" href="data:,">
<form method="post"><label>Login <input name="login"></label><button>Sign in</button><button name="cancel" value="yes">Cancel</button></form>`;

const provider = new Provider(`http://localhost:${port}`, {
  clients: settings.clients,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  cookies: { keys: ["for tests"] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_, login) => ({ accountId: login, claims: () => ({ sub: login, ...settings.accounts[login] }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: async ({ oidc }) => {
    const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid email profile");
    await grant.save();
    return grant;
  },
  pkce: { required: () => true },
});

async function typed(request) {
  let body = "";
  for await (const part of request) body += part;
  return new URLSearchParams(body);
}

provider.use(async (context, next) => {
  if (!context.path.startsWith("/interaction/")) return next();
  if (context.method === "GET") {
    context.body = FORM;
    return;
  }
  const form = await typed(context.req);
  const result = form.has("cancel") ? { error: "access_denied" } : { login: { accountId: form.get("login") } };
  await provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: false });
  context.respond = false;
});

provider.listen(port, "127.0.0.1", () => console.log("ready"));
