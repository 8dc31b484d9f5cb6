import { expect, test } from 'vitest';
import { receiptsIn } from './delivery.ts';

const receipt = (type: string | undefined, content?: { tag: string; attrs: object; content?: object[] }[]) =>
  receiptsIn({
    tag: 'receipt',
    attrs: { id: 'A', from: 'x@lid', ...(type === undefined ? {} : { type }) },
    content,
  } as Parameters<typeof receiptsIn>[0]);

test.each([
  [undefined, 'delivered'],
  ['inactive', 'delivered'],
  ['sender', 'sent'],
  ['read', 'read'],
  ['played', 'read'],
])('a receipt of the type %s means %s', (type, meaning) => {
  expect(receipt(type)).toEqual([{ wireId: 'A', receipt: meaning }]);
});

test('other receipts tell nothing: of reading elsewhere, of wanting the message again', () => {
  for (const type of ['read-self', 'retry', 'server-error', 'peer_msg', 'constructor']) {
    expect(receipt(type)).toEqual([]);
  }
});

test('a receipt may speak of several messages', () => {
  const item = (id: string) => ({ tag: 'item', attrs: { id } });
  const list = [{ tag: 'list', attrs: {}, content: [item('B'), item('C')] }];
  expect(receipt('read', list).map(({ wireId }) => wireId)).toEqual(['A', 'B', 'C']);
});
