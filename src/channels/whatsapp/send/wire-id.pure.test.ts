import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newId } from '../../../lib/id.ts';
import { codeWireIdOf, messageIdOf, messageIdOfCode, wireIdOf } from './wire-id.ts';

describe("WhatsApp's id of a message", () => {
  test('leads back to the message it was made from', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (time) => {
        const id = newId('msg', time);
        const wireId = wireIdOf(id);
        expect(wireId).toMatch(/^3EB0[0-9A-F]{32}$/);
        expect(messageIdOf(wireId)).toBe(id);
      }),
    );
  });

  test('is told from the ids that phones and other programs make', () => {
    const own = wireIdOf(newId('msg', 1_700_000_000_000));
    const foreign = ['', '3A0123456789ABCDEF0123', '3EB0C767D097B7C2A9B1', 'AC'.repeat(16)];
    for (const id of [...foreign, own.toLowerCase(), `${own}0`, own.slice(0, -1)]) {
      expect(messageIdOf(id)).toBeUndefined();
    }
  });

  test('has a sister for the bare code, and neither is taken for the other', () => {
    const id = newId('msg', 1_700_000_000_000);
    const [ofText, ofCode] = [wireIdOf(id), codeWireIdOf(id)];
    expect(ofCode).toMatch(/^3EB0[0-9A-F]{32}$/);
    expect(messageIdOfCode(ofCode)).toBe(id);
    expect(messageIdOf(ofCode)).toBeUndefined();
    expect(messageIdOfCode(ofText)).toBeUndefined();
    expect(messageIdOfCode('')).toBeUndefined();
  });

  test('can be made of messages only', () => {
    expect(() => wireIdOf(newId('ver', 1))).toThrow('is not an id of the kind msg');
  });
});
