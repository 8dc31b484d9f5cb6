// What a server that sends real messages shows in place of the virtual phone: how it does, by which channels codes
// reach people, and what is to be done next.

import { $, copyText, element, setText } from './dom.js';
import { prettyPhone } from './phone-number.js';
import { setLink } from './polling.js';
import { call, SESSION_ENDED } from './server.js';
import { channelName, shortTime, wait } from './words.js';

const ASK_MS = 5_000;
const WOTP = 'node bin/wotp.js';

const TITLES = {
  healthy: 'Everything is working',
  degraded: 'Working, with problems',
  unhealthy: 'Not accepting requests',
};

/** State of a WhatsApp session -> how it is shown: its colour, and in words. */
const SESSIONS = {
  new: ['degraded', 'Not linked yet'],
  pairing: ['degraded', 'Waiting to be linked'],
  connecting: ['degraded', 'Connecting'],
  open: ['healthy', 'Connected'],
  degraded: ['degraded', 'Connected, with problems'],
  reconnecting: ['degraded', 'Reconnecting'],
  logged_out: ['unhealthy', 'Logged out'],
  banned: ['unhealthy', 'Banned by WhatsApp'],
  paused: ['degraded', 'Paused'],
  action_required: ['unhealthy', 'Needs action'],
};

/** The states in which a number cannot be sent from until it is linked (again). */
const UNLINKED = ['new', 'pairing', 'logged_out', 'banned'];

/** The colours, best first. */
const COLOURS = ['healthy', 'degraded', 'unhealthy'];

let running = false;
let timer = 0;
let sessionEnded = () => {};

/** Begins to ask; `onSessionEnded(sentence)` is called when the server wants a new sign-in. */
export function startOverview(onSessionEnded) {
  sessionEnded = onSessionEnded;
  running = true;
  ask();
}

export function stopOverview() {
  running = false;
  clearTimeout(timer);
}

async function ask() {
  clearTimeout(timer);
  if (!running) return;
  const paths = ['/health', '/bot/sessions?limit=200', '/keys?limit=200', '/channels'];
  const answers = await Promise.all(paths.map((path) => call('GET', path).catch(() => undefined)));
  if (!running) return;
  if (answers.some((answer) => answer?.status === 401)) return sessionEnded(SESSION_ENDED);
  const [health, sessions, keys, channels] = answers;
  if (health?.data.checks && sessions?.ok && keys?.ok && channels?.ok) {
    setLink('live', 'Live');
    render(health.data, sessions.data, keys.data, channels.data.filter(isOther));
  } else setLink('reconnecting', 'Reconnecting…');
  if (!document.hidden) timer = setTimeout(ask, ASK_MS);
}

/** Whether it is a channel beside WhatsApp that is set up. */
const isOther = ({ name, receipts }) => name !== 'whatsapp' && receipts !== null;

function render(health, sessions, keys, others) {
  const numbers = numbersOf(sessions);
  const channels = [
    ...(sessions.length === 0 && others.length > 0 ? [] : numbers),
    ...others.map(otherChannel),
  ];
  setText($('state-title'), titleOf(health, sessions, others));
  const { version, uptime, checks } = health;
  const engine = checks.database.engine === 'postgres' ? 'PostgreSQL' : 'WODB';
  setText($('state-facts'), `WOTP ${version} on ${engine}, running for ${wait(uptime)}`);
  fill($('channels'), channels, stateItem);
  fill($('checks'), checksOf(health, numbers), stateItem);
  fill($('steps'), stepsFor(health, sessions, keys, others), stepItem);
}

/** The heading: what the whole server does, and first of all whether it sends anything. */
function titleOf({ status, checks }, sessions, others) {
  const isConnected = checks.whatsapp.connected || sessions.some(({ state }) => state === 'degraded');
  const isAnyOther = others.some(({ state }) => state !== 'off');
  if (status === 'unhealthy' || isConnected || isAnyOther) return TITLES[status];
  const linked = sessions.filter(({ phone, state }) => phone !== null && !UNLINKED.includes(state));
  if (others.length > 0) return 'Nothing is sent: no channel works';
  if (linked.length === 0) return 'Nothing is sent: no number is linked';
  const isPaused = linked.every(({ state }) => state === 'paused');
  return `Nothing is sent: ${isPaused ? 'every linked number is paused' : 'no linked number is connected'}`;
}

function otherChannel({ name, state, reason, route }) {
  const place = route === null ? 'Used only by sends that name it.' : `Place ${route} on the usual route.`;
  const words = reason ? `${reason[0].toUpperCase()}${reason.slice(1)}.` : 'Ready.';
  return {
    state: { ready: 'healthy', waiting: 'degraded', off: 'unhealthy' }[state],
    name: channelName(name),
    words: `${words} ${place}`,
  };
}

function numbersOf(sessions) {
  if (sessions.length === 0) {
    return [
      { state: 'unhealthy', name: 'WhatsApp', words: 'No number is linked, so no codes are delivered.' },
    ];
  }
  return sessions.map(({ id, phone, name, state, reason, warning, health }) => {
    const [colour, words] = SESSIONS[state] ?? ['degraded', state];
    const left = health && state === 'open' ? `${health.leftToday} messages left today.` : undefined;
    const named = phone ? `WhatsApp ${prettyPhone(phone)}` : `WhatsApp ${name ?? id}`;
    return {
      state: colour,
      name: named,
      words: [`${words}.`, reason, warning, left].filter(Boolean).join(' '),
    };
  });
}

function checksOf({ checks }, numbers) {
  const { database, disk, memory, backup, whatsapp } = checks;
  const megabytes = (bytes) => `${Math.round(bytes / 1_048_576).toLocaleString()} MB`;
  // The same colour as under Channels: of the best number as long as none works, and else what the check says.
  const best = COLOURS.find((colour) => numbers.some(({ state }) => state === colour));
  const link = whatsapp.connected ? whatsapp.status : best;
  const rows = [
    { state: database.status, name: 'Database', words: database.detail ?? 'Reads and writes.' },
    { state: link, name: 'WhatsApp', words: whatsapp.detail ?? 'Linked and connected.' },
    { state: disk.status, name: 'Disk', words: `${megabytes(disk.freeBytes)} free.` },
    { state: memory.status, name: 'Memory', words: `${megabytes(memory.residentBytes)} in use.` },
  ];
  if (!backup) return rows;
  const last = backup.lastAt
    ? `The last one was created at ${shortTime(backup.lastAt)}.`
    : 'None has been created yet.';
  return [...rows, { state: backup.status, name: 'Backups', words: backup.detail ?? last }];
}

function stepsFor({ checks }, sessions, keys, others) {
  const isLinked = sessions.some(({ state }) => state === 'open' || state === 'degraded');
  const steps = [];
  if (!isLinked && others.length === 0) {
    steps.push({
      words: 'Link a WhatsApp number: run this on the server and scan the QR code with the phone.',
      command: `${WOTP} bot pair`,
    });
  }
  if (keys.every(({ lastUsed }) => lastUsed === null)) {
    steps.push({
      words:
        'No API key has been used yet. Give your application the one that the first start printed, or create one:',
      command: `${WOTP} token create --name my-app`,
    });
  }
  if (isLinked) {
    steps.push({
      words: 'Send a test message to your own phone, with its country code.',
      command: `${WOTP} bot send +…`,
    });
  }
  if (others.length > 0) {
    const [{ name }] = others;
    steps.push({
      words: `Test the channel ${channelName(name)}: send yourself a message.`,
      command: `${WOTP} channel test ${name} ${name === 'email' ? 'you@…' : '+…'}`,
    });
  }
  steps.push({ words: 'Send and check a code from your application:', link: ['/docs', 'API reference'] });
  if (!checks.backup && checks.database.engine === 'wodb') {
    steps.push({
      words: 'Schedule backups: add this to .env, then restart. It creates one each night at 3.',
      command: 'BACKUP_CRON=0 3 * * *',
    });
  }
  return steps;
}

/** Makes a list anew, but only when what it shows has changed: nothing moves under a selection or a focus. */
function fill(list, rows, make) {
  const shown = JSON.stringify(rows);
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  list.replaceChildren(...rows.map(make));
}

function stateItem({ state, name, words }) {
  const item = element('li', 'state');
  item.dataset.state = state;
  const dot = element('span', 'state-dot');
  dot.setAttribute('aria-hidden', 'true');
  const text = element('p');
  const label = element('span', 'sr-only', ` (${state})`);
  text.append(element('strong', '', name), label, element('span', 'state-words', words));
  item.append(dot, text);
  return item;
}

function stepItem({ words, command, link }) {
  const item = element('li');
  const text = element('p', '', words);
  item.append(text);
  if (link) {
    const [href, label] = link;
    const anchor = element('a', '', label);
    anchor.href = href;
    text.append(' ', anchor);
  }
  if (!command) return item;
  const row = element('div', 'command');
  const label = element('span', '', 'Copy');
  const copy = element('button', 'copy-small');
  copy.type = 'button';
  copy.append(label);
  copy.addEventListener('click', () => copyText(command, label));
  row.append(element('code', '', command), copy);
  item.append(row);
  return item;
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) clearTimeout(timer);
  else ask();
});
