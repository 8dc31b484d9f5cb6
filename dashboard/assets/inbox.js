// The phones that received something, as a list; one of them is selected and shown as a chat.

import { makeBubble, updateBubble } from './bubble.js';
import { $, announce, element, placeAt, setText } from './dom.js';
import { dayName, prettyPhone, shortTime } from './words.js';

/** How many messages the page asks for. */
export const PAGE_SIZE = 100;

/** Phone in E.164 -> its messages by id, how many of them are unread, its nodes. */
const conversations = new Map();
let selected;
/** A phone that stays in the list although nothing arrived yet: a code is on its way to it. */
let expected;
let firstAnswer = true;
let mockMode = true;
/** Whether the chat follows new messages: until the reader scrolls up, and again from its end on. */
let following = true;
let lastScrollTop = 0;

/** Takes the newest messages, newest first, and touches only what changed. */
export function receive(messages) {
  const arrived = [];
  for (const message of [...messages].reverse()) {
    const conversation = conversations.get(message.to) ?? openConversation(message.to);
    const known = conversation.messages.get(message.id);
    if (known) {
      updateBubble(known.bubble, known.message, message);
      known.message = message;
    } else {
      conversation.messages.set(message.id, { message, bubble: undefined });
      arrived.push(message);
    }
  }
  if (messages.length < PAGE_SIZE) forgetAllBut(new Set(messages.map((message) => message.id)));
  if (!firstAnswer && arrived.length > 0) tellOf(arrived);
  if (selected === undefined && messages[0]) select(messages[0].to);
  else if (arrived.length > 0) renderChat(arrived.some((message) => message.to === selected));
  firstAnswer = false;
  renderList();
  renderEmptiness();
}

/** Shows a phone's chat; the phone may still be without messages when a code is on its way to it. */
export function select(to) {
  const conversation = conversations.get(to) ?? openConversation(to);
  conversation.unread = 0;
  if (selected !== to) {
    selected = to;
    $('bubbles').replaceChildren();
    for (const entry of conversation.messages.values()) entry.bubble = undefined;
    renderChat(false);
    scrollToNewest('instant');
  }
  renderList();
  renderEmptiness();
}

/** Shows the chat of a phone to which a message is on its way. */
export function expectMessageTo(to) {
  expected = to;
  select(to);
}

/** Says plainly when the server has no simulator. */
export function setMockMode(on) {
  if (on === mockMode) return;
  mockMode = on;
  $('mark').hidden = $('screen-foot').hidden = $('try').hidden = $('bubbles').hidden = !on;
  $('desk').dataset.mock = on ? 'on' : 'off';
  renderEmptiness();
}

/** Forgets everything, for when the session ends. */
export function clearInbox() {
  conversations.clear();
  selected = expected = undefined;
  firstAnswer = true;
  $('bubbles').replaceChildren();
  $('conversations').replaceChildren();
  renderList();
  renderEmptiness();
}

function openConversation(to) {
  const item = element('li');
  const button = element('button', 'conversation');
  button.type = 'button';
  button.addEventListener('click', () => select(to));
  const avatar = element('span', 'avatar', to.slice(-2));
  avatar.dataset.tone = String(Number(to.slice(-3)) % 6);
  avatar.setAttribute('aria-hidden', 'true');
  const time = element('time', 'conversation-time');
  const last = element('span', 'conversation-last');
  const unread = element('span', 'unread');
  button.append(avatar, element('span', 'conversation-phone', prettyPhone(to)), time, last, unread);
  item.append(button);
  const conversation = { to, messages: new Map(), unread: 0, item, button, time, last, unreadMark: unread };
  conversations.set(to, conversation);
  return conversation;
}

/** The server showed everything it has: what is missing there was erased. */
function forgetAllBut(ids) {
  for (const [to, conversation] of conversations) {
    for (const [id, { bubble }] of conversation.messages) {
      if (ids.has(id)) continue;
      bubble?.item.remove();
      conversation.messages.delete(id);
    }
    if (conversation.messages.size > 0 || to === expected) continue;
    conversation.item.remove();
    conversations.delete(to);
    if (selected === to) selected = undefined;
  }
}

function tellOf(arrived) {
  for (const { to } of arrived) {
    if (to !== selected) conversations.get(to).unread++;
  }
  const { to, text } = arrived.at(-1);
  announce(`New message to ${prettyPhone(to)}: ${text}`);
}

function newestOf(conversation) {
  let newest;
  for (const { message } of conversation.messages.values()) {
    if (!newest || message.at >= newest.at) newest = message;
  }
  return newest;
}

function renderList() {
  const rows = [...conversations.values()].map((conversation) => ({
    conversation,
    newest: newestOf(conversation),
  }));
  // A phone that waits for its first message stands on top: '~' sorts after every date.
  rows.sort((a, b) => (b.newest?.at ?? '~').localeCompare(a.newest?.at ?? '~'));
  rows.forEach(({ conversation, newest }, index) => {
    const { button, item, last, time, unread, unreadMark } = conversation;
    setText(last, newest?.text ?? 'Waiting for the message…');
    setText(time, newest ? shortTime(newest.at) : '');
    setText(unreadMark, unread > 0 ? String(unread) : '');
    unreadMark.hidden = unread === 0;
    if (conversation.to === selected) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
    placeAt($('conversations'), index, item);
  });
  $('inbox-empty').hidden = rows.length > 0;
  $('inbox-count').hidden = rows.length === 0;
  setText($('inbox-count'), String(rows.length));
}

function renderChat(someArrived) {
  const conversation = conversations.get(selected);
  if (!conversation) return;
  const entries = [...conversation.messages.values()];
  entries.sort((a, b) => a.message.at.localeCompare(b.message.at));
  let previousDay;
  entries.forEach((entry, index) => {
    entry.bubble ??= makeBubble(entry.message, someArrived);
    const day = dayName(entry.message.at);
    setText(entry.bubble.day, day);
    entry.bubble.day.hidden = day === previousDay;
    previousDay = day;
    placeAt($('bubbles'), index, entry.bubble.item);
  });
  if (someArrived && following) scrollToNewest('smooth');
  else if (someArrived) $('to-newest').hidden = false;
}

/** The head of the chat, the hint of an empty phone, and the dots while a message is on its way. */
function renderEmptiness() {
  const current = conversations.get(selected);
  $('mock-off').hidden = mockMode;
  $('empty').hidden = !mockMode || conversations.size > 0;
  $('waiting').hidden = !mockMode || !current || current.messages.size > 0;
  setText($('chat-title'), mockMode && current ? prettyPhone(selected) : 'Virtual phone');
  setText($('chat-subtitle'), mockMode ? 'Receives only' : 'Switched off');
}

function scrollToNewest(behavior) {
  following = true;
  $('to-newest').hidden = true;
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  $('chat').scrollTo({ top: $('chat').scrollHeight, behavior: still ? 'instant' : behavior });
}

$('to-newest').addEventListener('click', () => scrollToNewest('smooth'));
$('chat').addEventListener('scroll', () => {
  const { scrollHeight, scrollTop, clientHeight } = $('chat');
  if (scrollHeight - scrollTop - clientHeight < 80) {
    following = true;
    $('to-newest').hidden = true;
  } else if (scrollTop < lastScrollTop) {
    following = false;
  }
  lastScrollTop = scrollTop;
});

$('conversations').addEventListener('keydown', (event) => {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const buttons = [...$('conversations').querySelectorAll('button')];
  const next = step && buttons[buttons.indexOf(document.activeElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
});
