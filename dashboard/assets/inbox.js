// The phones and mailboxes that received something, as a list that can be searched; one of them is selected and shown as a chat.

import { makeBubble, updateBubble } from './bubble.js';
import { codeIn } from './code-in-text.js';
import { $, announce, element, leftToRight, placeAt, setText } from './dom.js';
import { prettyPhone, splitPhone } from './phone-number.js';
import { dayName, shortTime } from './words.js';

/** How many messages the page asks for. */
export const PAGE_SIZE = 100;
const TONES = 6;

/** Phone in E.164 -> its messages by id, how many of them are unread, its nodes. */
const conversations = new Map();
let selected;
/** A phone that stays in the list although nothing arrived yet: a code is on its way to it. */
let expected;
let firstAnswer = true;
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

/** Shows the chat of a phone to which a message is on its way. */
export function expectMessageTo(to) {
  expected = to;
  open(to);
}

/** Forgets everything, for when the session ends. */
export function clearInbox() {
  conversations.clear();
  selected = expected = undefined;
  firstAnswer = true;
  $('bubbles').replaceChildren();
  $('conversations').replaceChildren();
  $('search').value = '';
  showPane('list');
  renderList();
  renderEmptiness();
}

/** Shows a phone's chat; the phone may still be without messages when a code is on its way to it. */
function select(to) {
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

/** Shows a phone's chat because the reader asked for it: where there is room for one pane only, in place of the list. */
function open(to) {
  select(to);
  if ($('desk').dataset.pane === 'chat') return;
  showPane('chat');
  // So that the browser's own way back leads to the list.
  if (isNarrow()) history.pushState({ pane: 'chat' }, '');
}

function showPane(pane) {
  $('desk').dataset.pane = pane;
  if (isNarrow()) scrollTo(0, 0);
}

const isNarrow = () => matchMedia('(max-width: 46rem)').matches;

function openConversation(to) {
  const item = element('li');
  const button = element('button', 'conversation');
  button.type = 'button';
  button.addEventListener('click', () => open(to));
  const avatar = element(
    'span',
    'avatar',
    isMailbox(to) ? '@' : `+${splitPhone(to)?.code ?? to.slice(1, 3)}`,
  );
  avatar.dataset.tone = String(toneOf(to));
  avatar.setAttribute('aria-hidden', 'true');
  const time = element('time', 'conversation-time');
  const last = element('span', 'conversation-last');
  last.dir = 'auto';
  const unread = element('span', 'unread');
  const name = leftToRight(prettyPhone(to), 'conversation-phone');
  if (isMailbox(to)) name.title = to;
  name.classList.toggle('mailbox', isMailbox(to));
  button.append(avatar, name, time, last, unread);
  item.append(button);
  const conversation = { to, messages: new Map(), unread: 0, item, button, time, last, unreadMark: unread };
  conversations.set(to, conversation);
  return conversation;
}

const isMailbox = (to) => to.includes('@');

/** A colour that hangs on every character, so that addresses which end alike differ in it as a rule. */
function toneOf(to) {
  let sum = 0;
  for (const character of to.slice(1)) sum = (sum * 31 + character.codePointAt(0)) % 9973;
  return sum % TONES;
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

/** Oldest first; of the same moment, the one that was made first. Ids are in the order in which they were made. */
function byTime(a, b) {
  return a.at === b.at ? compare(a.id, b.id) : compare(a.at, b.at);
}

function compare(a, b) {
  return a < b ? -1 : Number(a > b);
}

function newestOf(conversation) {
  return [...conversation.messages.values()]
    .map(({ message }) => message)
    .sort(byTime)
    .at(-1);
}

function renderList() {
  const rows = [...conversations.values()].map((conversation) => ({
    conversation,
    newest: newestOf(conversation),
  }));
  // A phone that waits for its first message stands on top.
  rows.sort((a, b) => {
    if (a.newest && b.newest) return byTime(b.newest, a.newest);
    return Number(Boolean(a.newest)) - Number(Boolean(b.newest));
  });
  const wanted = $('search').value.trim();
  let shown = 0;
  rows.forEach(({ conversation, newest }, index) => {
    const { button, item, last, time, unread, unreadMark } = conversation;
    renderPreview(last, newest?.text ?? 'Waiting for the message…');
    setText(time, newest ? shortTime(newest.at) : '');
    setText(unreadMark, unread > 0 ? String(unread) : '');
    unreadMark.hidden = unread === 0;
    item.hidden = !matches(conversation, wanted);
    if (!item.hidden) shown++;
    if (conversation.to === selected) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
    placeAt($('conversations'), index, item);
  });
  $('inbox-empty').hidden = rows.length > 0;
  $('search').hidden = rows.length === 0;
  $('none-found').hidden = rows.length === 0 || shown > 0;
  $('inbox-count').hidden = rows.length === 0;
  setText($('inbox-count'), String(rows.length));
}

/** One line of the newest message; the code stands first, so that a long text does not hide it. */
function renderPreview(node, text) {
  if (node.dataset.text === text) return;
  node.dataset.text = text;
  const found = codeIn(text);
  node.replaceChildren(...(found ? [leftToRight(found.code, 'code'), ' '] : []), text);
}

/** Whether an address has these digits or letters, or one of its messages these words. */
function matches({ to, messages }, wanted) {
  if (wanted === '') return true;
  const digits = wanted.replaceAll(/[\s()+.-]/g, '');
  if (/^\d+$/.test(digits) && to.includes(digits)) return true;
  const words = wanted.toLowerCase();
  if (isMailbox(to) && to.toLowerCase().includes(words)) return true;
  return [...messages.values()].some(({ message }) => message.text.toLowerCase().includes(words));
}

function renderChat(someArrived) {
  const conversation = conversations.get(selected);
  if (!conversation) return;
  const entries = [...conversation.messages.values()];
  entries.sort((a, b) => byTime(a.message, b.message));
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
  $('empty').hidden = conversations.size > 0;
  $('waiting').hidden = !current || current.messages.size > 0;
  setText($('chat-title'), current ? prettyPhone(selected) : 'Virtual phone');
  // Where there is one pane only, the form stands below the chat that its code went to.
  const { phone, email } = $('pending').dataset;
  $('desk').dataset.pendingHere = String(current !== undefined && [phone, email].includes(selected));
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

$('search').addEventListener('input', renderList);
$('back').addEventListener('click', () => {
  if (history.state?.pane === 'chat') history.back();
  else showPane('list');
});
addEventListener('popstate', ({ state }) => showPane(state?.pane ?? 'list'));
// A page that is loaded again begins with the list.
history.replaceState(null, '', location.href);

$('conversations').addEventListener('keydown', (event) => {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const buttons = [...$('conversations').querySelectorAll('li:not([hidden]) button')];
  const next = step && buttons[buttons.indexOf(document.activeElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
});
