// @ts-check
// The arithmetic of the audit chain. Plain JavaScript, as worker.js needs it too, which Node loads directly.
import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * @typedef {import('node:crypto').KeyLike | Uint8Array} KeyLike
 * @typedef {{
 *   seq: number, id: string, project_id: number | null, type: string, at: number, actor: string, address: string,
 *   subject: string | null, phone: string | null, data: string, key_version: number, mac: Buffer,
 *   position: number | null, hash: Buffer | null,
 * }} AuditLine a line of the audit log as it is stored
 * @typedef {{
 *   position: number, hash: Buffer, anchor_position: number, anchor_hash: Buffer, since: number, key_version: number,
 *   mac: Buffer,
 * }} AuditHead how far the chain reaches, and after which line that was deleted for its age it begins
 * @typedef {(version: number) => KeyLike | undefined} KeyOf the key of the audit log by its version
 * @typedef {'changed' | 'missing' | 'moved' | 'added' | 'head' } AuditProblem
 * @typedef {{ position: number | null, problem: AuditProblem, line?: AuditLine | undefined }} BadLine
 */

/** What comes before the first line. */
export const GENESIS = Buffer.alloc(32);

/**
 * Authenticates what a line says (HMAC-SHA-256).
 * @param {KeyLike} key
 * @param {Omit<AuditLine, 'mac' | 'position' | 'hash'>} line
 */
export function macOfLine(key, line) {
  const { seq, id, project_id, type, at, actor, address, subject, phone, data, key_version } = line;
  const content = ['line', seq, id, project_id, type, at, actor, address, subject, phone, data, key_version];
  return createHmac('sha256', key).update(JSON.stringify(content)).digest();
}

/**
 * The hash of a line in the chain: over its place, what it says, and the hash of the line before it.
 * @param {KeyLike} key
 * @param {{ previous: Buffer, position: number, mac: Buffer }} link
 */
export function hashOfLink(key, { previous, position, mac }) {
  const content = ['link', position, previous.toString('hex'), mac.toString('hex')];
  return createHmac('sha256', key).update(JSON.stringify(content)).digest();
}

/**
 * Authenticates the head.
 * @param {KeyLike} key
 * @param {Omit<AuditHead, 'mac'>} head
 */
export function macOfHead(key, { position, hash, anchor_position, anchor_hash, since, key_version }) {
  const content = [
    'head',
    position,
    hash.toString('hex'),
    anchor_position,
    anchor_hash.toString('hex'),
    since,
    key_version,
  ];
  return createHmac('sha256', key).update(JSON.stringify(content)).digest();
}

/**
 * Whether a head is one that WOTP wrote.
 * @param {KeyOf} keyOf
 * @param {AuditHead} head
 */
export function isGoodHead(keyOf, head) {
  const key = keyOf(head.key_version);
  return key !== undefined && isEqual(macOfHead(key, head), head.mac);
}

/**
 * Whether a line says what it said when it was recorded.
 * @param {KeyOf} keyOf
 * @param {AuditLine} line
 */
export function isGoodLine(keyOf, line) {
  const key = keyOf(line.key_version);
  return key !== undefined && isEqual(macOfLine(key, line), line.mac);
}

/**
 * Checks the lines of a chain, given one after another in the order of their positions.
 * @param {KeyOf} keyOf
 * @param {AuditHead} head
 */
export function chainCheck(keyOf, head) {
  let position = head.anchor_position;
  let previous = head.anchor_hash;

  return {
    /** The position of the last line that was right. */
    get position() {
      return position;
    },

    /**
     * What is wrong with the next line; undefined where nothing is.
     * @param {AuditLine} line
     * @returns {BadLine | undefined}
     */
    next(line) {
      const expected = position + 1;
      if (line.position !== expected) return { position: expected, problem: 'missing' };
      if (!isGoodLine(keyOf, line)) return { position: expected, problem: 'changed', line };
      const key = /** @type {KeyLike} */ (keyOf(line.key_version));
      const hash = hashOfLink(key, { previous, position: expected, mac: line.mac });
      if (!line.hash || !isEqual(hash, line.hash)) return { position: expected, problem: 'moved', line };
      position = expected;
      previous = hash;
      return undefined;
    },

    /**
     * What is wrong with the end, once all lines were given; undefined where nothing is.
     * @returns {BadLine | undefined}
     */
    end() {
      if (position < head.position) return { position: position + 1, problem: 'missing' };
      return isEqual(previous, head.hash) ? undefined : { position, problem: 'head' };
    },
  };
}

/**
 * What is wrong, as a sentence.
 * @param {BadLine} bad
 */
export function sentenceOfBad({ position, problem, line }) {
  const place = position === null ? 'A line that is not chained yet' : `Line ${position}`;
  const what = line ? ` (${line.type}, ${new Date(line.at).toISOString()})` : '';
  switch (problem) {
    case 'changed':
      return `${place}${what} was changed after it was recorded.`;
    case 'missing':
      return `${place} is missing.`;
    case 'moved':
      return `${place}${what} is not the line that was recorded in this place.`;
    case 'added':
      return `${place}${what} was added by something else than WOTP.`;
    case 'head':
      return 'The head of the chain was changed or removed.';
  }
}

/**
 * @param {Buffer} a
 * @param {Buffer} b
 */
function isEqual(a, b) {
  return a.length === b.length && timingSafeEqual(a, b);
}
