// The secret that accompanies the session's cookie. Browsers send the cookie to every port of this machine; the secret
// is only read by pages of this origin. It survives a reload, and a new tab gets it from one that is signed in.

const STORED_AS = 'wotp-session-secret';
const ANSWER_MS = 200;

const tabs = new BroadcastChannel('wotp-session');
let secret = sessionStorage.getItem(STORED_AS) ?? undefined;
let waiting = [];

/** The secret of this tab's session; undefined before the sign-in. */
export const sessionSecret = () => secret;

/** Takes the secret that a sign-in returned, for this tab and all others, which share its cookie. */
export function keepSecret(given) {
  remember(given);
  tabs.postMessage({ secret });
}

/** Forgets the secret when the session has ended. */
export function forgetSecret() {
  secret = undefined;
  sessionStorage.removeItem(STORED_AS);
}

/** Asks the other tabs for the secret; resolves to whether it is another than the one that was used. */
export async function secretFromOtherTabs(used) {
  // It may have come while the request was under way.
  if (secret !== undefined && secret !== used) return true;
  const answer = new Promise((resolve) => {
    waiting.push(resolve);
    setTimeout(resolve, ANSWER_MS);
  });
  tabs.postMessage({ wanted: true });
  await answer;
  return secret !== undefined && secret !== used;
}

function remember(given) {
  secret = given;
  sessionStorage.setItem(STORED_AS, given);
}

tabs.addEventListener('message', ({ data }) => {
  if (data.wanted && secret) tabs.postMessage({ secret });
  if (!data.secret) return;
  remember(data.secret);
  for (const resolve of waiting) resolve();
  waiting = [];
});
