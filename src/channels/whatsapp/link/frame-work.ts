/**
 * How much work a frame may be to read, in steps of about 0.3 µs: a third of this is what a large server's settings or a
 * group of 2,000 come to, and all of it takes less than 100 ms.
 */
export const FRAME_MAX_STEPS = 200_000;

/** A node becomes an object with an object of attributes; a JID, a string that is no token, and bytes are made of parts. */
const NODE_STEPS = 5;
const COMPOSED_STEPS = 8;
const TOKEN_STEPS = 1;
/** Bytes of a string that are a step; packed digits are a step a byte. */
const STRING_BYTES_A_STEP = 2;

/** Nothing that WhatsApp sends is nested nearly as deep. */
const DEPTH_MAX = 100;

/** The first bytes of what a frame is made of. */
const LIST_EMPTY = 0;
const DICTIONARY_0 = 236;
const DICTIONARY_3 = 239;
const INTEROP_JID = 245;
const FB_JID = 246;
const AD_JID = 247;
const LIST_8 = 248;
const LIST_16 = 249;
const JID_PAIR = 250;
const HEX_8 = 251;
const BINARY_8 = 252;
const BINARY_20 = 253;
const BINARY_32 = 254;
const NIBBLE_8 = 255;

/** A frame of WhatsApp's is longer than is taken, or more work to read. */
export class FrameTooLongError extends Error {}

/**
 * Walks through a frame, without its first byte and not compressed, as the library would, but makes nothing of it.
 * Stricter than the library in two ways, or the library's work would not be known: no length is negative, and the server
 * of an interop JID is there (the library goes back to where it began when it is not).
 *
 * @param maxSteps where to stop
 * @returns the steps that reading it takes
 * @throws FrameTooLongError when it takes more than `maxSteps`
 * @throws RangeError when it cannot be read
 */
export function stepsToRead(frame: Uint8Array, maxSteps = FRAME_MAX_STEPS): number {
  let at = 0;
  let steps = 0;

  function count(more: number): void {
    steps += more;
    if (steps > maxSteps) throw new FrameTooLongError('A frame was more work to read than is taken.');
  }
  function number(bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i += 1) value = value * 256 + byte();
    return value;
  }
  function byte(): number {
    const value = frame[at];
    if (value === undefined) throw unreadable('it ends too early');
    at += 1;
    return value;
  }
  function skip(bytes: number): void {
    if (bytes > frame.length - at) throw unreadable('it ends too early');
    at += bytes;
  }

  function listLength(tag: number): number {
    if (tag === LIST_EMPTY) return 0;
    if (tag === LIST_8) return number(1);
    if (tag === LIST_16) return number(2);
    throw unreadable(`a list begins with ${tag}`);
  }

  /** The length of bytes that begin with this tag; undefined for other tags. */
  function bytesLength(tag: number): number | undefined {
    if (tag === BINARY_8) return number(1);
    if (tag === BINARY_20) return number(3) % 2 ** 20;
    if (tag !== BINARY_32) return undefined;
    const length = number(4);
    // The library takes it for a negative one, goes back, and may do so for ever.
    if (length >= 2 ** 31) throw unreadable('a length is negative');
    return length;
  }

  function token(tag: number): boolean {
    if (tag > DICTIONARY_3) return false;
    count(TOKEN_STEPS);
    if (tag >= DICTIONARY_0) skip(1);
    return true;
  }
  function plainString(tag: number): boolean {
    if (token(tag)) return true;
    const length = bytesLength(tag);
    if (length === undefined) return false;
    count(COMPOSED_STEPS + Math.ceil(length / STRING_BYTES_A_STEP));
    skip(length);
    return true;
  }

  function string(tag: number, depth: number): void {
    if (plainString(tag)) return;
    if (depth > DEPTH_MAX) throw unreadable('it is nested too deep');
    count(COMPOSED_STEPS);
    const part = () => string(byte(), depth + 1);
    switch (tag) {
      case HEX_8:
      case NIBBLE_8: {
        const length = byte() % 128;
        count(length);
        skip(length);
        break;
      }
      case JID_PAIR:
        part();
        part();
        break;
      case AD_JID:
        skip(2);
        part();
        break;
      case FB_JID:
        part();
        skip(2);
        part();
        break;
      case INTEROP_JID:
        part();
        skip(4);
        if (!plainString(byte())) throw unreadable('the server of an interop JID is no string');
        break;
      default:
        throw unreadable(`a string begins with ${tag}`);
    }
  }

  function node(depth: number): void {
    if (depth > DEPTH_MAX) throw unreadable('it is nested too deep');
    count(NODE_STEPS);
    const parts = listLength(byte());
    string(byte(), depth);
    for (let i = 0; i < Math.floor((parts - 1) / 2) * 2; i += 1) string(byte(), depth);
    if (parts % 2 === 0) content(byte(), depth);
  }

  function content(tag: number, depth: number): void {
    if (tag === LIST_EMPTY || tag === LIST_8 || tag === LIST_16) {
      const children = listLength(tag);
      for (let i = 0; i < children; i += 1) node(depth + 1);
      return;
    }
    const length = bytesLength(tag);
    if (length === undefined) string(tag, depth);
    else {
      // They are not copied.
      count(COMPOSED_STEPS);
      skip(length);
    }
  }

  node(0);
  return steps;
}

function unreadable(why: string): RangeError {
  return new RangeError(`A frame cannot be read: ${why}.`);
}
