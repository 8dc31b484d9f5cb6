// The virtual phone: signs in with the one-time link or the admin password, then shows what was received.

import { $, setProblem } from './dom.js';
import { clearInbox, expectMessageTo } from './inbox.js';
import { pollNow, startPolling, stopPolling } from './polling.js';
import { call, sentenceOf, signIn, submit, UNREACHABLE } from './server.js';
import { forgetSecret } from './session-secret.js';
import { startTryIt } from './try-it.js';

function show(view) {
  document.body.dataset.view = view;
  $('sign-in').hidden = view !== 'sign-in';
  $('desk').hidden = $('top').hidden = view !== 'desk';
}

function showSignIn(problem) {
  stopPolling();
  clearInbox();
  show('sign-in');
  setProblem($('sign-in-problem'), problem);
  $('password').value = '';
  $('password').focus();
}

function showDesk() {
  show('desk');
  startPolling(showSignIn);
  if (matchMedia('(pointer: fine)').matches) $('phone').focus({ preventScroll: true });
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
    if (byLink?.ok) return showDesk();
    const session = await call('GET', '/session');
    if (session.ok) return showDesk();
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
  showDesk();
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
