// One message in the chat.

import { codeIn } from './code-in-text.js';
import { copyText, element, icon, leftToRight } from './dom.js';
import { channelName, clockTime, timeInFull } from './words.js';

const STATUS_ICONS = {
  sent: 'tick',
  delivered: 'ticks',
  read: 'ticks',
  failed: 'failed',
  expired: 'failed',
  canceled: 'failed',
};

/** Makes the nodes of a message; `item` goes into the chat, `day` is the heading of its day. */
export function makeBubble(message, arriving) {
  const item = element('li', arriving ? 'arriving' : '');
  const day = element('p', 'day');
  const box = element('div', 'bubble');
  box.dataset.plays = message.plays;
  const channel = element('p', 'bubble-channel', channelName(message.plays));
  const text = element('p', 'bubble-text');
  text.dir = 'auto';
  const meta = element('p', 'meta');
  const time = element('time', '', clockTime(message.at));
  time.dateTime = message.at;
  time.title = timeInFull(message.at);
  const ticks = element('span', 'ticks');
  meta.append(time, ticks);
  box.append(channel, text, meta);
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
  const found = codeIn(text);
  bubble.copy?.remove();
  bubble.copy = undefined;
  bubble.box.classList.toggle('ended', !found && text.includes('•'));
  if (!found) {
    bubble.text.textContent = text;
    return;
  }
  const { index, code } = found;
  const shown = element('strong', 'code');
  shown.append(leftToRight(code));
  bubble.text.replaceChildren(text.slice(0, index), shown, text.slice(index + code.length));
  const label = element('span', '', 'Copy code');
  bubble.copy = element('button', 'copy');
  bubble.copy.type = 'button';
  bubble.copy.append(icon('copy'), label);
  bubble.copy.addEventListener('click', () => copyText(code, label));
  bubble.box.append(bubble.copy);
}

function fillStatus(bubble, status) {
  bubble.ticks.dataset.status = status;
  bubble.ticks.title = status;
  const drawing = icon(STATUS_ICONS[status] ?? 'clock', 'tick-icon');
  bubble.ticks.replaceChildren(drawing, element('span', 'sr-only', status));
}
