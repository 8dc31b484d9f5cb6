import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';
import { callLibrary, isInLibrary } from './library-scope.ts';

/**
 * The largest frame that is taken from WhatsApp, and the largest that a compressed one may come to, in bytes. What WhatsApp
 * sends to a number that sends codes is far smaller.
 */
const FRAME_MAX_BYTES = 1024 * 1024;
const INFLATED_MAX_BYTES = 2 * 1024 * 1024;

/** The first byte of a frame that is compressed. */
const COMPRESSED = Buffer.from([2]);
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
 * Looks through what comes over a connection, message by message, for the lengths of the frames in it; a frame may be in
 * several messages, and a message hold several frames. False once a frame is longer than is taken.
 */
export function frameLengths(): (message: Uint8Array) => boolean {
  let left = 0;
  let length = 0;
  let lengthBytes = 0;
  return (message) => {
    for (let at = 0; at < message.length; ) {
      if (left > 0) {
        const step = Math.min(left, message.length - at);
        left -= step;
        at += step;
        continue;
      }
      length = length * 256 + message[at]!;
      at += 1;
      lengthBytes += 1;
      if (lengthBytes < LENGTH_BYTES) continue;
      if (length > FRAME_MAX_BYTES) return false;
      left = length;
      length = 0;
      lengthBytes = 0;
    }
    return true;
  };
}

const { inflate } = zlib;

// Baileys inflates frames without a bound, and has no option for one. It takes this function when it is loaded, so this
// module has to be loaded before, as `checkInflateIsBounded` makes sure. For everybody else it is as it was.
zlib.inflate = Object.assign(
  (
    buffer: zlib.InputType,
    options: zlib.ZlibOptions | zlib.CompressCallback,
    callback?: zlib.CompressCallback,
  ) => {
    if (typeof options !== 'function') inflate(buffer, options, callback!);
    else inflate(buffer, isInLibrary() ? { maxOutputLength: INFLATED_MAX_BYTES } : {}, options);
  },
  { __promisify__: inflate.__promisify__ },
);
syncBuiltinESMExports();

/**
 * Makes sure that a library was loaded after the bound was set.
 * @param decode decodes a frame
 * @throws when it inflates more than that
 */
export async function checkInflateIsBounded(decode: (frame: Buffer) => Promise<unknown>): Promise<void> {
  const compressed = Buffer.concat([COMPRESSED, zlib.deflateSync(Buffer.alloc(INFLATED_MAX_BYTES + 1))]);
  const nobody = { failed: () => {} };
  const error = await callLibrary(nobody, () => decode(compressed)).catch((thrown: unknown) => thrown);
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ERR_BUFFER_TOO_LARGE') return;
  throw new Error('The WhatsApp library was loaded before its frames were bounded.');
}
