import { decodeBinaryNode, encodeBinaryNode } from 'baileys';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Stanza, stanza } from '../../../../test/support/fake-whatsapp/stanza.ts';
import { FRAME_MAX_STEPS, FrameTooLongError, stepsToRead } from './frame-work.ts';

const MB = 1024 * 1024;
const TOKEN = 3;

function listOf(count: number, child: readonly number[]): Buffer {
  return Buffer.concat([Buffer.from([249, count >> 8, count & 255]), repeated(count, child)]);
}
function repeated(count: number, bytes: readonly number[]): Buffer {
  return Buffer.alloc(count * bytes.length, Buffer.from(bytes));
}
/** A node that holds lists of as many of a child as come to so many bytes. */
function nodeOf(child: readonly number[], bytes = MB - 1024): Buffer {
  const list = Buffer.concat([Buffer.from([248, 2, TOKEN]), listOf(1_000, child)]);
  const lists = Math.min(Math.floor(bytes / list.length), 65_535);
  return Buffer.concat([Buffer.from([248, 2, TOKEN]), listOf(lists, [...list])]);
}
function attributes(count: number, value: readonly number[]): Buffer {
  const parts = 1 + 2 * count;
  return Buffer.concat([
    Buffer.from([249, parts >> 8, parts & 255, TOKEN]),
    repeated(count, [TOKEN, ...value]),
  ]);
}

describe('a frame of 1 MB is refused before anything is made of it when it is made of', () => {
  test.each<[string, readonly number[]]>([
    ['empty nodes, three bytes each', [248, 1, TOKEN]],
    ['nodes with empty content', [248, 2, TOKEN, 252, 0]],
    ['nodes with an attribute', [248, 3, TOKEN, 4, 5]],
    ['nodes with the JID of a device', [248, 3, TOKEN, 4, 247, 0, 1, 6]],
    ['nodes with a pair for a JID', [248, 3, TOKEN, 4, 250, 5, 6]],
    ['packed digits', [248, 2, TOKEN, 255, 127, ...Array<number>(127).fill(0x11)]],
    ['strings of 255 bytes', [248, 3, TOKEN, 4, 252, 255, ...Array<number>(255).fill(0xc3)]],
  ])('%s', (_what, child) => {
    expect(() => stepsToRead(nodeOf(child))).toThrow(FrameTooLongError);
  });
});

test('one long string counts by its length, and bytes, which are not copied, do not', () => {
  const long = (content: boolean) =>
    Buffer.concat([
      Buffer.from(content ? [248, 2, TOKEN] : [248, 3, TOKEN, 4]),
      Buffer.from([254, 0, 15, 0, 0]),
      Buffer.alloc(15 * 65_536),
    ]);
  expect(() => stepsToRead(long(false))).toThrow(FrameTooLongError);
  expect(stepsToRead(long(true))).toBeLessThan(20);
});

describe('what the library would read again and again is refused, so that the steps are the work:', () => {
  test('a negative length, at which it goes back to where it was', () => {
    const back = Buffer.from([248, 2, TOKEN, 249, 255, 255, 248, 2, TOKEN, 254, 255, 255, 255, 247]);
    expect(() => stepsToRead(back)).toThrow('a length is negative');
  });

  test('an interop JID without a server, after which it goes back', () => {
    const server = [250, 253, 0x17, 0, 200, ...Array<number>(255).fill(7)];
    expect(() => stepsToRead(attributes(100, [245, 5, 0, 0, 0, 0, ...server]))).toThrow('interop JID');
    expect(
      stepsToRead(attributes(1, [245, 5, 0, 1, 0, 2, 252, 7, ...Buffer.from('interop')])),
    ).toBeGreaterThan(0);
  });

  test('what is nested without an end', () => {
    const nodes = Buffer.concat([repeated(20_000, [248, 2, TOKEN, 248, 1]), Buffer.from([248, 1, TOKEN])]);
    expect(() => stepsToRead(nodes)).toThrow('nested too deep');
    expect(() => stepsToRead(Buffer.from([248, 1, ...repeated(20_000, [250])]))).toThrow('nested too deep');
  });
});

test('every node counts once, whatever the library would have made of it', () => {
  // A node and its tag are six steps, on each of both levels.
  for (const nodes of [1, 10, 1_000]) {
    expect(stepsToRead(Buffer.concat([Buffer.from([248, 2, TOKEN]), listOf(nodes, [248, 1, TOKEN])]))).toBe(
      6 * (nodes + 1),
    );
  }
});

const NAME = fc.oneof(
  fc.constantFrom('iq', 'id', 'to', 'type', 'participant'),
  fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
);
const VALUE = fc.oneof(
  fc.string({ maxLength: 300, unit: 'grapheme' }),
  fc.stringMatching(/^[0-9A-F]{1,40}$/),
  fc.stringMatching(/^[0-9.-]{1,40}$/),
  fc.constantFrom('4915100000001@s.whatsapp.net', '4915100000001:7@s.whatsapp.net', '12:3@lid', '@g.us'),
);
const { tree } = fc.letrec<{ tree: Stanza }>((tie) => ({
  tree: fc
    .record({
      tag: NAME,
      attrs: fc.dictionary(NAME, VALUE, { maxKeys: 5 }),
      content: fc.oneof(
        { maxDepth: 4 },
        fc.constant(undefined),
        fc.uint8Array({ maxLength: 300 }),
        fc.array(tie('tree'), { maxLength: 5 }),
      ),
    })
    .map(({ tag, attrs, content }) => stanza(tag, attrs, content)),
}));

test('whatever the library writes can be read, and ends where its frame ends', () => {
  fc.assert(
    fc.property(tree, (any) => {
      const frame = Buffer.from(encodeBinaryNode(any)).subarray(1);
      expect(stepsToRead(frame)).toBeLessThan(FRAME_MAX_STEPS);
      expect(() => stepsToRead(frame.subarray(0, -1))).toThrow('it ends too early');
    }),
  );
});

test('what is let through the library reads, or refuses at once', async () => {
  const bytes = fc.array(
    fc.oneof(fc.constantFrom(0, 3, 236, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255), fc.nat(255)),
    { maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (any) => {
      const frame = Buffer.from([248, 2, TOKEN, 248, 1, ...any]);
      try {
        stepsToRead(frame);
      } catch {
        return;
      }
      await decodeBinaryNode(Buffer.concat([Buffer.from([0]), frame])).catch((error: Error) => {
        expect(error.message).toMatch(/invalid (node|nibble|hex|jid pair|double token)/i);
      });
    }),
    { numRuns: 2_000 },
  );
});
