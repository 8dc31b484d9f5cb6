// The form that sends a code and checks it, and the same two calls with curl.

import { $, copyText, setProblem, setText } from './dom.js';
import { prettyPhone } from './phone-number.js';
import { call, SESSION_ENDED, sentenceOf, serverNow, submit } from './server.js';
import { channelName, clockTime, clockTimeWithSeconds, countdown } from './words.js';

/** The verification that the form started: the answer of the send, and `over` once it can no longer verify. */
let pending;

/**
 * Wires the forms. `onSent(to)` is called when a code is on its way to a phone (E.164) or mailbox, `onEnded()` when the
 * messages have changed by a verification's end, `onSessionEnded(sentence)` when the server wants a new sign-in.
 */
export function startTryIt({ onSent, onEnded, onSessionEnded }) {
  $('send-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const field = $('phone');
    const phone = field.value.trim();
    const email = $('email').value.trim();
    if (!phone && !email)
      return ask($('send-problem'), 'Type a phone number first, with + and its country code.', field);
    const request = () => call('POST', '/otp/send', recipient());
    const answer = await submit($('send-button'), $('send-problem'), field, request);
    if (answer?.status === 401) return onSessionEnded(SESSION_ENDED);
    if (!answer?.ok) return;
    begin(answer.data);
    onSent(pending.plays === 'email' ? pending.email : pending.phone);
  });

  $('verify-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const field = $('code');
    const code = field.value.trim();
    if (!code) return ask($('verify-problem'), 'Type the code from the message first.', field);
    const { id } = pending;
    const request = () => call('POST', '/otp/verify', { id, code });
    const answer = await submit($('verify-button'), $('verify-problem'), field, request);
    if (answer?.status === 401) return onSessionEnded(SESSION_ENDED);
    if (!answer || pending.id !== id) return;
    settle(answer);
    if (pending.over) onEnded();
    else field.select();
  });

  for (const field of [$('phone'), $('email')]) {
    field.addEventListener('input', () => {
      setProblem($('send-problem'), undefined, $('phone'));
      renderCurl();
    });
  }
  $('code').addEventListener('input', () => setProblem($('verify-problem'), undefined, $('code')));
  for (const button of document.querySelectorAll('[data-copy]')) {
    button.addEventListener('click', () =>
      copyText($(button.dataset.copy).textContent, button.firstElementChild),
    );
  }
  renderCurl();
  tick();
  setInterval(tick, 1_000);
}

/** Whom the form is for, as a send takes it. */
function recipient() {
  const [phone, email] = [$('phone').value.trim(), $('email').value.trim()];
  return { ...(phone && { phone }), ...(email && { email }) };
}

function ask(problem, sentence, field) {
  setProblem(problem, sentence, field);
  field.focus();
}

function begin(verification) {
  pending = { ...verification, over: false };
  $('code').value = '';
  setProblem($('verify-problem'), undefined, $('code'));
  render(
    'pending',
    'Pending',
    pending.retried ? 'A code was still pending, so the same code was sent again.' : '',
  );
  moveFocus($('code'));
}

/** Reads the answer of a check. */
function settle(answer) {
  if (answer.ok) {
    return end(
      'verified',
      'Verified',
      `The code was right. Verified at ${clockTimeWithSeconds(answer.data.verifiedAt)}.`,
    );
  }
  const { code, attemptsRemaining } = answer.problem;
  if (Number.isInteger(attemptsRemaining)) pending.attemptsRemaining = attemptsRemaining;
  if (code === 'OTP_EXPIRED') end('failed', 'Expired', sentenceOf(answer));
  else if (code === 'OTP_NOT_FOUND') end('failed', 'Ended', sentenceOf(answer));
  else if (code === 'OTP_ATTEMPTS_EXCEEDED') end('failed', 'No attempts left', sentenceOf(answer));
  else if (pending.attemptsRemaining === 0) {
    end('failed', 'No attempts left', 'That was the last guess for this code. Send a new one.');
  }
  tick();
}

function end(state, label, note) {
  const hadFocus = $('verify-form').contains(document.activeElement);
  pending.over = true;
  render(state, label, note);
  if (hadFocus) moveFocus($('phone'));
}

/** Not on a touch screen, where the keyboard would cover the message that arrives. */
function moveFocus(field) {
  if (matchMedia('(pointer: fine)').matches) field.focus({ preventScroll: true });
}

function render(state, label, note) {
  $('pending').hidden = false;
  $('pending').dataset.state = state;
  $('pending').dataset.phone = pending.phone ?? '';
  $('pending').dataset.email = pending.email ?? '';
  setText($('pending-phone'), pending.phone ? prettyPhone(pending.phone) : pending.email);
  setText($('pending-id'), pending.id);
  setText($('pending-pill'), label);
  setText($('pending-note'), note);
  $('facts').hidden = $('verify-form').hidden = pending.over;
  renderCurl();
  tick();
}

/** Once a second: the clock of the phone, and the life that the code has left. */
function tick() {
  setText($('wall-clock'), clockTime(Date.now()));
  if (!pending || pending.over) return;
  const seconds = Math.max(0, Math.ceil((Date.parse(pending.expiresAt) - serverNow()) / 1_000));
  setText($('expires-in'), countdown(seconds));
  $('expires-in').classList.toggle('short', seconds <= 30);
  setText($('attempts-left'), String(pending.attemptsRemaining));
  $('attempts-left').classList.toggle('short', pending.attemptsRemaining <= 1);
  renderRoute();
  if (pending.route.length > 1) follow(pending.id);
  if (seconds === 0) end('failed', 'Expired', 'The code was not entered in time. Send a new one.');
}

/** Reads how far along its route the verification is. */
async function follow(id) {
  const answer = await call('GET', `/otp/${id}`).catch(() => undefined);
  if (!answer?.ok || pending.id !== id || pending.over) return;
  const { plays, nextAt } = answer.data;
  Object.assign(pending, { plays, nextAt });
  renderRoute();
}

/** By which channel the code went, and when the next one follows if nothing arrives. */
function renderRoute() {
  const { route, plays, nextAt } = pending;
  const next = nextAt && route[route.indexOf(plays) + 1];
  const seconds = next && Math.max(0, Math.ceil((Date.parse(nextAt) - serverNow()) / 1_000));
  const inSentence = (name) => channelName(name).replace('E-mail', 'e-mail');
  const follows = next ? `, then ${inSentence(next)} in ${countdown(seconds)} if it does not arrive` : '';
  setText($('pending-route'), `Sent by ${inSentence(plays)}${follows}.`);
}

function renderCurl() {
  const to = recipient();
  setText($('curl-send'), curl('/otp/send', to.phone || to.email ? to : { phone: '+6281234566034' }));
  setText($('curl-verify'), curl('/otp/verify', { id: pending?.id ?? 'ver_…', code: '123456' }));
}

function curl(path, body) {
  const indent = Object.keys(body).length > 1 ? 2 : 0;
  const json = JSON.stringify(body, null, indent).replaceAll("'", "'\\''").replaceAll('\n', '\n  ');
  return [
    `curl ${location.origin}/api/v1${path} \\`,
    "  -H 'Authorization: Bearer wotp_…' \\",
    "  -H 'Content-Type: application/json' \\",
    `  -d '${json}'`,
  ].join('\n');
}
