// The page: signs in with the one-time link or the admin password, then shows the virtual phone, or the state of a server
// that sends real messages.

import { $, setProblem } from './dom.js';
import { clearInbox, expectMessageTo } from './inbox.js';
import { startOverview, stopOverview } from './overview.js';
import { setPhoneFormats } from './phone-number.js';
import { pollNow, startPolling, stopPolling } from './polling.js';
import { call, sentenceOf, signIn, submit, UNREACHABLE } from './server.js';
import { forgetSecret } from './session-secret.js';
import { startTryIt } from './try-it.js';

const phoneFormats = fetch('/assets/phone-formats.json').then(
  (answer) => answer.json(),
  () => ({}),
);

function show(view) {
  document.body.dataset.view = view;
  $('sign-in').hidden = view !== 'sign-in';
  $('desk').hidden = $('mark').hidden = view !== 'desk';
  $('overview').hidden = view !== 'overview';
  $('top').hidden = view === 'sign-in';
}

function showSignIn(problem) {
  stopPolling();
  stopOverview();
  clearInbox();
  show('sign-in');
  setProblem($('sign-in-problem'), problem);
  $('password').value = '';
  $('password').focus();
}

/** Shows the virtual phone where there is one, else how the server does. */
async function showSignedIn() {
  const health = await call('GET', '/health').catch(() => undefined);
  if (health?.data.checks && health.data.checks.whatsapp.mode !== 'mock') return showOverview();
  // Once for the page; without them numbers stand as they are written to the server.
  setPhoneFormats(await phoneFormats);
  show('desk');
  startPolling({ onSessionEnded: showSignIn, onNoPhone: showOverview });
  if (matchMedia('(pointer: fine)').matches) $('phone').focus({ preventScroll: true });
}

async function showOverview() {
  stopPolling();
  setPhoneFormats(await phoneFormats);
  show('overview');
  startOverview(showSignIn);
}

/** Takes the one-time token out of the address, so that it stays in no history, bookmark or screenshot. */
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('sign-in');
  if (location.hash) history.replaceState(null, '', location.pathname);
  return token;
}

/** Signs in with the link's token if there is one, else goes on with the session if there is one. */
async function enter() {
  const token = takeToken();
  try {
    const byLink = token ? await signIn({ token }) : undefined;
    if (byLink?.ok) return showSignedIn();
    const session = await call('GET', '/session');
    if (session.ok) return showSignedIn();
    if (byLink?.status === 401) return showSignIn('This link was already used or has expired.');
    if (byLink) return showSignIn(sentenceOf(byLink));
    showSignIn(session.status === 401 ? undefined : sentenceOf(session));
  } catch {
    showSignIn(UNREACHABLE);
  }
}

$('sign-in-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const field = $('password');
  const request = () => signIn({ password: field.value });
  const answer = await submit($('sign-in-button'), $('sign-in-problem'), field, request);
  if (!answer?.ok) return field.select();
  field.value = '';
  showSignedIn();
});

$('show-password').addEventListener('click', () => {
  const shown = $('password').type === 'text';
  $('password').type = shown ? 'password' : 'text';
  $('show-password').setAttribute('aria-pressed', String(!shown));
});

$('sign-out').addEventListener('click', async () => {
  const problem = $('sign-out-problem');
  const answer = await submit($('sign-out'), problem, undefined, () => call('DELETE', '/session'));
  // A fresh page keeps nothing of this session in memory.
  if (!answer?.ok && answer?.status !== 401) return;
  forgetSecret();
  location.reload();
});

// A link pasted into this tab changes the fragment only, so the page is not loaded again.
addEventListener('hashchange', () => {
  if (location.hash.startsWith('#sign-in=')) enter();
});

startTryIt({
  onSent(phone) {
    expectMessageTo(phone);
    pollNow();
  },
  onEnded: pollNow,
  onSessionEnded: showSignIn,
});
enter();
