import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 64 * 1024;

/**
 * A whole file, read no further than `maxBytes`, so that whoever put it there cannot fill the memory. A number is an open
 * descriptor, such as 0 for standard input.
 * @throws an error with the code EFBIG when it is larger, and what the operating system throws
 */
export function readBounded(file: string | 0, maxBytes: number): Buffer {
  return typeof file === 'number'
    ? readDescriptor(file, maxBytes, 'standard input')
    : opened(file, maxBytes, 0);
}

/**
 * A file of WOTP's own in one of its folders, as text: as `readBounded`, but a link, or what is no file, is not read. In
 * such a place it was put there by somebody else.
 * @throws an error with the code ELOOP, EINVAL or EFBIG, and what the operating system throws
 */
export function readOwnFile(path: string, maxBytes: number): string {
  // Without waiting, or a pipe would hold the start up.
  const { O_NOFOLLOW, O_NONBLOCK } = constants;
  return opened(path, maxBytes, O_NOFOLLOW | O_NONBLOCK, true).toString('utf8');
}

/** Whether a file was refused for what it is: too large, a link or no file where it has to be one of WOTP's own. */
export function isUnfitFile(error: unknown): boolean {
  return ['EFBIG', 'EINVAL', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function opened(path: string, maxBytes: number, flags: number, hasToBeFile = false): Buffer {
  const descriptor = openSync(path, constants.O_RDONLY | flags);
  try {
    if (hasToBeFile && !fstatSync(descriptor).isFile()) throw refusal('EINVAL', `${path} is not a file.`);
    return readDescriptor(descriptor, maxBytes, path);
  } finally {
    closeSync(descriptor);
  }
}

function readDescriptor(descriptor: number, maxBytes: number, name: string): Buffer {
  const chunks: Buffer[] = [];
  for (let total = 0; ; ) {
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, maxBytes + 1 - total));
    const bytes = readSync(descriptor, chunk);
    if (bytes === 0) return Buffer.concat(chunks);
    total += bytes;
    if (total > maxBytes) throw refusal('EFBIG', `${name} is larger than ${maxBytes} bytes.`);
    chunks.push(chunk.subarray(0, bytes));
  }
}

function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
