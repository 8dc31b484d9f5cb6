// One message in the chat.

import { copyText, element, icon } from './dom.js';
import { clockTime, timeInFull } from './words.js';

const STATUS_ICONS = {
  sent: 'tick',
  delivered: 'ticks',
  read: 'ticks',
  failed: 'failed',
  expired: 'failed',
  canceled: 'failed',
};

/** The first run of 4-10 digits is the code while it lives; afterwards the server sends bullets in its place. */
const LIVE_CODE = /(?<!\d)\d{4,10}(?!\d)/;

/** Makes the nodes of a message; `item` goes into the chat, `day` is the heading of its day. */
export function makeBubble(message, arriving) {
  const item = element('li', arriving ? 'arriving' : '');
  const day = element('p', 'day');
  const box = element('div', 'bubble');
  const text = element('p', 'bubble-text');
  text.dir = 'auto';
  const meta = element('p', 'meta');
  const time = element('time', '', clockTime(message.at));
  time.dateTime = message.at;
  time.title = timeInFull(message.at);
  const ticks = element('span', 'ticks');
  meta.append(time, ticks);
  box.append(text, meta);
  item.append(day, box);
  const bubble = { item, day, box, text, ticks, copy: undefined };
  fillText(bubble, message.text);
  fillStatus(bubble, message.status);
  return bubble;
}

/** Brings a bubble up to date; one that is not on the page is left alone. */
export function updateBubble(bubble, before, message) {
  if (!bubble) return;
  if (before.text !== message.text) fillText(bubble, message.text);
  if (before.status !== message.status) fillStatus(bubble, message.status);
}

function fillText(bubble, text) {
  const code = LIVE_CODE.exec(text);
  bubble.copy?.remove();
  bubble.copy = undefined;
  bubble.box.classList.toggle('ended', !code && text.includes('•'));
  if (!code) {
    bubble.text.textContent = text;
    return;
  }
  const end = code.index + code[0].length;
  bubble.text.replaceChildren(text.slice(0, code.index), element('strong', 'code', code[0]), text.slice(end));
  const label = element('span', '', 'Copy code');
  bubble.copy = element('button', 'copy');
  bubble.copy.type = 'button';
  bubble.copy.append(icon('copy'), label);
  bubble.copy.addEventListener('click', () => copyText(code[0], label));
  bubble.box.append(bubble.copy);
}

function fillStatus(bubble, status) {
  bubble.ticks.dataset.status = status;
  bubble.ticks.title = status;
  const drawing = icon(STATUS_ICONS[status] ?? 'clock', 'tick-icon');
  bubble.ticks.replaceChildren(drawing, element('span', 'sr-only', status));
}
