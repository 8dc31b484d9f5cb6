import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';
import { FRAME_MAX_STEPS, FrameTooLongError, stepsToRead } from './frame-work.ts';
import { callLibrary, type LibraryUser, libraryUser } from './library-scope.ts';

/**
 * The largest frame that is taken from WhatsApp, and the largest that a compressed one may come to, in bytes. What WhatsApp
 * sends to a number that sends codes is far smaller.
 */
const FRAME_MAX_BYTES = 1024 * 1024;
const INFLATED_MAX_BYTES = 2 * 1024 * 1024;

/** The bit in the first byte of a frame that says whether it is compressed. */
const COMPRESSED = 2;
/** Bytes before each frame, which tell its length. */
const LENGTH_BYTES = 3;

/** A WebSocket of ws, as far as its bounds go. */
export interface BoundedWire {
  setSocket(socket: unknown, head: unknown, options: object): void;
  readonly _extensions: Record<string, { _maxPayload?: number }>;
}

/** Lets a WebSocket that is not open yet take no larger message than one frame; ws itself takes 100 MB, inflated too. */
export function boundMessages(wire: BoundedWire): void {
  const maxPayload = FRAME_MAX_BYTES + LENGTH_BYTES;
  const setSocket = wire.setSocket.bind(wire);
  wire.setSocket = (socket, head, options) => {
    for (const extension of Object.values(wire._extensions)) extension._maxPayload = maxPayload;
    setSocket(socket, head, { ...options, maxPayload });
  };
}

/**
 * Cuts what comes over a connection, message by message, so that no piece holds more than one frame; a frame may be in
 * several pieces. The function throws FrameTooLongError once a frame is longer than is taken.
 */
export function frameCutter(): (message: Uint8Array) => Uint8Array[] {
  let left = 0;
  let length = 0;
  let lengthBytes = 0;
  return (message) => {
    const pieces: Uint8Array[] = [];
    let begin = 0;
    const cut = (at: number) => {
      if (at > begin) pieces.push(message.subarray(begin, at));
      begin = at;
    };
    for (let at = 0; at < message.length; ) {
      if (left > 0) {
        const step = Math.min(left, message.length - at);
        left -= step;
        at += step;
        if (left === 0) cut(at);
        continue;
      }
      length = length * 256 + message[at]!;
      at += 1;
      lengthBytes += 1;
      if (lengthBytes < LENGTH_BYTES) continue;
      if (length > FRAME_MAX_BYTES) throw new FrameTooLongError('A frame was longer than allowed.');
      if (length === 0) cut(at);
      left = length;
      length = 0;
      lengthBytes = 0;
    }
    cut(message.length);
    return pieces;
  };
}

/** Steps that were taken for somebody in this turn of the event loop, in which everybody else waits. */
const taken = new WeakMap<LibraryUser, number>();

/**
 * Looks through a frame, without its first byte, before the library reads it.
 * @throws FrameTooLongError when it, with what was read before it in this turn of the event loop, is too much work
 * @throws RangeError when it cannot be read
 */
function checkFrame(frame: Uint8Array, user: LibraryUser): void {
  const before = taken.get(user);
  if (before === undefined) setImmediate(() => taken.delete(user));
  taken.set(user, (before ?? 0) + stepsToRead(frame, FRAME_MAX_STEPS - (before ?? 0)));
}

const { inflate } = zlib;
const { createDecipheriv } = crypto;

// Baileys neither inflates frames with a bound, nor has an option for one, nor lets anybody look at a frame between
// opening and reading it. It takes these two functions when it is loaded, so this module has to be loaded before, as
// `checkFramesAreBounded` makes sure. For everybody else they are as they were.
zlib.inflate = Object.assign(
  (
    buffer: zlib.InputType,
    options: zlib.ZlibOptions | zlib.CompressCallback,
    callback?: zlib.CompressCallback,
  ) => {
    if (typeof options !== 'function') return inflate(buffer, options, callback!);
    const user = libraryUser();
    if (!user) return inflate(buffer, options);
    inflate(buffer, { maxOutputLength: INFLATED_MAX_BYTES }, (error, frame) => {
      let refusal = error;
      try {
        if (!error) checkFrame(frame, user);
      } catch (thrown) {
        refusal = thrown as Error;
      }
      options(refusal, frame);
    });
  },
  { __promisify__: inflate.__promisify__ },
);
crypto.createDecipheriv = ((...given: Parameters<typeof createDecipheriv>) => {
  const decipher = createDecipheriv(...given);
  const user = libraryUser();
  return user && isCounter(given[2]) ? checkingFrames(decipher as crypto.DecipherGCM, user) : decipher;
}) as typeof createDecipheriv;
syncBuiltinESMExports();

/** Whether this is how what comes over a connection is numbered: twelve bytes, the first eight of them zero. */
function isCounter(iv: unknown): boolean {
  return iv instanceof Uint8Array && iv.length === 12 && iv.subarray(0, 8).every((byte) => byte === 0);
}

/** What comes with nothing beside it is a frame; what comes with a hash is a part of the handshake. */
function checkingFrames(decipher: crypto.DecipherGCM, user: LibraryUser): crypto.DecipherGCM {
  const { setAAD, update } = decipher;
  let isFrame = false;
  decipher.setAAD = (beside, options) => {
    isFrame = beside.byteLength === 0;
    return setAAD.call(decipher, beside, options);
  };
  decipher.update = ((sealed: Uint8Array) => {
    const frame = Reflect.apply(update, decipher, [sealed]) as Buffer;
    const isCompressed = (frame[0]! & COMPRESSED) !== 0;
    if (isFrame && !isCompressed) checkFrame(frame.subarray(1), user);
    return frame;
  }) as typeof update;
  return decipher;
}

/** What the library reads frames with. */
interface FrameReading {
  aesEncryptGCM(plain: Uint8Array, key: Uint8Array, iv: Uint8Array, beside: Uint8Array): Uint8Array;
  aesDecryptGCM(sealed: Uint8Array, key: Uint8Array, iv: Uint8Array, beside: Uint8Array): Uint8Array;
  decodeBinaryNode(frame: Buffer): Promise<unknown>;
}

/**
 * Makes sure that the library was loaded after the bounds were set.
 * @throws when it inflates more than that, or opens a frame that is too much work to read
 */
export async function checkFramesAreBounded(library: FrameReading): Promise<void> {
  const nobody = { failed: () => {} };
  const thrownBy = (work: () => unknown) =>
    callLibrary(nobody, async () => work()).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  const large = Buffer.concat([
    Buffer.from([COMPRESSED]),
    zlib.deflateSync(Buffer.alloc(INFLATED_MAX_BYTES + 1)),
  ]);
  const ofInflating = await thrownBy(() => library.decodeBinaryNode(large));
  const [key, iv, beside] = [Buffer.alloc(32), Buffer.alloc(12), Buffer.alloc(0)];
  const sealed = library.aesEncryptGCM(wideFrame(), key, iv, beside);
  const ofOpening = await thrownBy(() => library.aesDecryptGCM(sealed, key, iv, beside));
  const isInflatingBounded =
    (ofInflating as NodeJS.ErrnoException | undefined)?.code === 'ERR_BUFFER_TOO_LARGE';
  if (isInflatingBounded && ofOpening instanceof FrameTooLongError) return;
  throw new Error('The WhatsApp library was loaded before its frames were bounded.');
}

/** A node with nothing in it but 65,535 empty ones. */
function wideFrame(): Buffer {
  const nodes = Buffer.alloc(65_535 * 3, Buffer.from([248, 1, 3]));
  return Buffer.concat([Buffer.from([0, 248, 2, 3, 249, 0xff, 0xff]), nodes]);
}
