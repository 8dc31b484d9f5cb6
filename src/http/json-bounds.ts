/** The most levels of objects and arrays within each other that a body may have. */
export const BODY_MAX_DEPTH = 32;
/** The most members of objects and arrays together that a body may have where its route says nothing else. */
export const BODY_MAX_MEMBERS = 2_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const ARRAY = 0x5b;
const ARRAY_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/**
 * What of a JSON text is beyond its bounds, undefined when nothing is. One pass over the text that stops at the
 * bound, so that a text which would take long to read and check is refused before it is read. Each `,`, `{` and `[`
 * outside strings counts as a member. Whether the text is JSON at all is for its parser to say.
 */
export function beyondBounds(text: string, maxMembers: number): 'depth' | 'members' | undefined {
  if (text.length <= BODY_MAX_DEPTH) return undefined;
  let depth = 0;
  let members = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case OBJECT:
      case ARRAY:
        if (++depth > BODY_MAX_DEPTH) return 'depth';
        if (++members > maxMembers) return 'members';
        break;
      case OBJECT_END:
      case ARRAY_END:
        depth--;
        break;
      case COMMA:
        if (++members > maxMembers) return 'members';
        break;
    }
  }
  return undefined;
}

/** The place of the quote that ends a string; the end of the text when none does. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === BACKSLASH) first--;
  return (at - first) % 2 === 1;
}
