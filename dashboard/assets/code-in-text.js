// Finds the code in the text of a message while it lives; afterwards the server sends bullets in its place.

// Only letters of ASCII count as neighbours: Chinese, Japanese and Thai put no space around a code.
const ALONE = (run) => new RegExp(`(?<![A-Za-z0-9_])${run}(?![A-Za-z0-9_])`, 'g');

/** What can be the code, the likeliest first. The last is for codes of letters that lack a digit by chance. */
const RUNS = [
  ALONE('\\d{4,10}'),
  ALONE('(?=[A-Za-z]*\\d)(?=\\d*[A-Za-z])[A-Za-z0-9]{4,10}'),
  /(?<!\d)\d{4,10}(?!\d)/g,
];
const CAPITALS = ALONE('[ACDEFGHJKMNPQRTWXY]{6,10}');

/**
 * Where the code stands in a text, as `{ index, code }`; undefined when there is none. The first run of 4-10 digits is
 * the code, where there is none the first that mixes letters with digits, and then the last of capitals.
 */
export function codeIn(text) {
  let match;
  for (const run of RUNS) match ??= text.matchAll(run).next().value;
  match ??= [...text.matchAll(CAPITALS)].at(-1);
  return match && { index: match.index, code: match[0] };
}
