// Small verbs on the page. Text enters it through textContent only.

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A code or a number, which reads from left to right in a text of any direction. */
export function leftToRight(text, className) {
  const made = element('bdi', className, text);
  made.dir = 'ltr';
  return made;
}

/** A drawing of `icons.svg`, hidden from screen readers. */
export function icon(name, className = 'icon') {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `/assets/icons.svg#${name}`);
  svg.setAttribute('class', className);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

/** Writes the text only when it changed, so that screen readers and selections are left alone. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Puts a node at a place among its siblings without touching it when it is there already. */
export function placeAt(list, index, node) {
  const there = list.children[index] ?? null;
  if (there !== node) list.insertBefore(node, there);
}

/** Shows a sentence in an alert paragraph and marks the field, or clears both when there is none. */
export function setProblem(paragraph, text, field) {
  setText(paragraph, text ?? '');
  paragraph.hidden = !text;
  if (text) field?.setAttribute('aria-invalid', 'true');
  else field?.removeAttribute('aria-invalid');
}

/** Says a sentence to screen readers. */
export function announce(text) {
  $('announcer').textContent = text;
}

/** Copies the text and says so for a moment on the label of the button that was pressed. */
export async function copyText(text, label) {
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages that are not on HTTPS or localhost have no clipboard API.
    const area = element('textarea', 'sr-only', text);
    document.body.append(area);
    area.select();
    copied = document.execCommand('copy');
    area.remove();
  }
  label.dataset.label ??= label.textContent;
  label.textContent = copied ? 'Copied' : 'Copy it by hand';
  announce(label.textContent);
  setTimeout(() => setText(label, label.dataset.label), 1_600);
}
