import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HttpProviders, openHttpProviders } from '../../../test/support/http-providers.ts';
import {
  answering,
  cut,
  cutInAnswer,
  type ProviderStandIn,
  silence,
  startProvider,
} from '../../../test/support/provider-stand-in.ts';
import type { SendError } from '../../messages/channel.ts';

const taken = (id: string) => answering(200, { messages: [{ status: '0', id }] });
const refusedAs = (status: string, http = 200) => answering(http, { messages: [{ status }] });

let first: ProviderStandIn;
let second: ProviderStandIn;
let open: HttpProviders;

beforeEach(async () => {
  [first, second] = [await startProvider(), await startProvider()];
  open = await openHttpProviders({
    providers: [provider('first', first.origin), provider('second', second.origin)],
  });
  for (const each of [first, second]) each.always(taken('1'));
});
afterEach(async () => {
  await open.stop();
  for (const each of [first, second]) await each.stop();
});

function provider(name: string, origin: string, fields: object = {}) {
  return {
    name,
    channel: 'sms',
    url: `${origin}/send`,
    json: { to: '{{to}}', text: '{{text}}' },
    success: { status: [200, 201], where: [{ path: 'messages.0.status', in: ['0', 'queued'] }] },
    refused: [
      { path: 'messages.0.status', in: ['6', 9], as: 'permanent' },
      { path: 'messages.0.status', in: ['1'], as: 'temporary' },
      { path: 'messages.0.status', in: ['2'], as: 'operator' },
    ],
    messageId: 'messages.0.id',
    ...fields,
  };
}

/** What a send ends with: what was accepted, or what failed and why. */
async function sent(signal?: AbortSignal) {
  return open.send(open.message(), signal).catch(({ failure, reason, retryAfterMs }: SendError) => ({
    failure,
    reason,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }));
}
const counts = () => [first.received.length, second.received.length];

describe('a message', () => {
  test('goes to the first provider, whose id of it is kept with the name of the provider', async () => {
    first.next(taken('abc'));
    expect(await sent()).toEqual({ providerId: 'first:abc' });
    expect(counts()).toEqual([1, 0]);
  });

  test('has no id where the provider gives none', async () => {
    first.next(answering(200, { messages: [{ status: 'queued' }] }));
    expect(await sent()).toEqual({});
  });

  test('is not taken because of a status alone', async () => {
    first.next(
      answering(200, { messages: [{ status: 'who knows' }] }),
      answering(202, { messages: [{ status: '0' }] }),
    );
    expect(await sent()).toEqual({ failure: 'permanent', reason: 'first: HTTP 200' });
    expect(await sent()).toEqual({ failure: 'permanent', reason: 'first: HTTP 202' });
    first.next(
      answering(200, '<html>Sign in to this network</html>'),
      answering(302, '', { location: second.origin }),
    );
    expect(await sent()).toEqual({ failure: 'permanent', reason: 'first: HTTP 200' });
    expect(await sent()).toEqual({ failure: 'permanent', reason: 'first: HTTP 302' });
    expect(counts()).toEqual([4, 0]);
  });

  test('that is refused for good goes to no other provider', async () => {
    first.next(
      refusedAs('6'),
      answering(200, { messages: [{ status: 9 }] }),
      answering(404, 'no'),
      answering(400, {}),
    );
    expect(await sent()).toEqual({ failure: 'permanent', reason: 'first: messages.0.status is 6' });
    expect(await sent()).toEqual({ failure: 'permanent', reason: 'first: messages.0.status is 9' });
    expect(await sent()).toEqual({ failure: 'permanent', reason: 'first: HTTP 404' });
    expect(await sent()).toEqual({ failure: 'permanent', reason: 'first: HTTP 400' });
    expect(counts()).toEqual([4, 0]);
  });

  test.each([408, 425, 429, 500, 502, 503, 504])(
    'that is refused with %i goes to the next one',
    async (status) => {
      first.next(answering(status, 'no'));
      second.next(taken('b'));
      expect(await sent()).toEqual({ providerId: 'second:b' });
      expect(counts()).toEqual([1, 1]);
      expect(open.channel.readiness()).toEqual({ state: 'ready' });
    },
  );

  test('that a rule refuses for now goes to the next one, whatever the status', async () => {
    first.next(refusedAs('1'), refusedAs('1', 400));
    expect(await sent()).toEqual({ providerId: 'second:1' });
    expect(await sent()).toEqual({ providerId: 'second:1' });
  });

  test('that finds nobody who listens goes to the next one', async () => {
    await first.stop();
    expect(await sent()).toEqual({ providerId: 'second:1' });
    expect(open.told).toEqual([
      'sending by the provider first: a provider cannot be reached: The address cannot be reached.',
    ]);
    first = await startProvider();
  });

  test('that no provider takes now fails as they refused it', async () => {
    // So that no connection is left to a provider that is gone.
    const close = { connection: 'close' };
    first.next(answering(503, '', close));
    second.next(answering(500, '', close), answering(500, '', close));
    expect(await sent()).toEqual({ failure: 'temporary', reason: 'first: HTTP 503; second: HTTP 500' });
    await first.stop();
    expect(await sent()).toEqual({
      failure: 'temporary',
      reason: 'first: cannot be reached; second: HTTP 500',
    });
    await second.stop();
    expect(await sent()).toEqual({
      failure: 'unavailable',
      reason: 'first: cannot be reached; second: cannot be reached',
    });
    [first, second] = [await startProvider(), await startProvider()];
  });

  test('that is given up before it has left ends with the reason of the signal', async () => {
    const reason = new Error('stopping');
    await expect(open.send(open.message(), AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(counts()).toEqual([0, 0]);
  });
});

describe('an answer that is lost', () => {
  const uncertain = { failure: 'uncertain', reason: 'first: the answer was lost' };

  test('because the connection broke after the message had left goes to no other provider', async () => {
    first.next(cut, cutInAnswer(200));
    expect(await sent()).toEqual(uncertain);
    expect(await sent()).toEqual(uncertain);
    expect(counts()).toEqual([2, 0]);
  });

  test('is a refusal where its status had come', async () => {
    first.next(cutInAnswer(503));
    expect(await sent()).toEqual({ providerId: 'second:1' });
    first.next(cutInAnswer(400));
    expect(await sent()).toEqual({ failure: 'permanent', reason: 'first: HTTP 400' });
  });

  test('because it did not come within 10 seconds goes to no other provider', async () => {
    first.next(silence);
    const arrived = first.arrival();
    const ending = sent();
    await arrived;
    await open.clock.advance(10_000);
    expect(await ending).toEqual(uncertain);
    expect(counts()).toEqual([1, 0]);
  });
});

test('a message that is given up when it has left goes to no other provider', async () => {
  first.next(silence);
  const abort = new AbortController();
  const arrived = first.arrival();
  const ending = sent(abort.signal);
  await arrived;
  abort.abort(new Error('stopping'));
  expect(await ending).toEqual({ failure: 'uncertain', reason: 'first: the answer was lost' });
  expect(counts()).toEqual([1, 0]);
});

describe('a provider that asks to wait', () => {
  test('is left alone as long as it says, and the others go on', async () => {
    first.next(answering(429, '', { 'retry-after': '30' }));
    expect(await sent()).toEqual({ providerId: 'second:1' });
    expect(await sent()).toEqual({ providerId: 'second:1' });
    expect(counts()).toEqual([1, 2]);
    await open.clock.advance(30_000);
    expect(await sent()).toEqual({ providerId: 'first:1' });
  });

  test('stops the channel for that time where it is the last', async () => {
    first.next(answering(429, '', { 'retry-after': '30' }));
    second.next(answering(503, '', { 'retry-after': new Date(open.clock.now() + 20_000).toUTCString() }));
    expect(await sent()).toEqual({
      failure: 'temporary',
      reason: 'first: HTTP 429; second: HTTP 503',
      retryAfterMs: 20_000,
    });
    const waiting = { state: 'waiting', reason: 'first asks to wait; second asks to wait' };
    expect(open.channel.readiness()).toEqual(waiting);
    expect(open.channel.waitReason).toBe(waiting.reason);
    // One that was claimed before costs its message nothing.
    expect(await sent()).toEqual({ failure: 'unavailable', reason: waiting.reason, retryAfterMs: 20_000 });
    expect(counts()).toEqual([1, 1]);
    await open.clock.advance(20_000);
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
    expect(await sent()).toEqual({ providerId: 'second:1' });
  });

  test.each([
    ['nothing', undefined],
    ['no number', 'soon'],
    ['a time that has passed', '0'],
  ])('by %s is asked again with the next message', async (_what, header) => {
    first.next(answering(429, '', header === undefined ? {} : { 'retry-after': header }));
    await sent();
    await sent();
    expect(counts()).toEqual([2, 1]);
  });

  test('for longer than an hour is asked again after an hour', async () => {
    first.next(answering(429, '', { 'retry-after': '999999999' }));
    await sent();
    await open.clock.advance(60 * 60_000);
    expect(await sent()).toEqual({ providerId: 'first:1' });
  });
});

describe('a provider that only the operator can set right', () => {
  test.each([
    ['by its status', answering(401, 'Authentication failed for u5er-secret'), 'HTTP 401'],
    ['by a rule', refusedAs('2'), 'messages.0.status is 2'],
  ])('%s is not asked again for 5 minutes, and the operator is told', async (_how, reaction, reason) => {
    first.next(reaction);
    expect(await sent()).toEqual({ providerId: 'second:1' });
    expect(await sent()).toEqual({ providerId: 'second:1' });
    expect(counts()).toEqual([1, 2]);
    expect(open.told).toEqual([
      expect.stringMatching(
        /^sending by the provider first: a provider refuses every message: check its account/,
      ),
    ]);
    second.next(answering(403, 'no'));
    expect(await sent()).toEqual({
      failure: 'unavailable',
      reason: 'second: HTTP 403',
      retryAfterMs: 300_000,
    });
    expect(open.channel.readiness()).toEqual({
      state: 'offline',
      reason: `first refuses every message (${reason}): check its account and its settings; second refuses every message (HTTP 403): check its account and its settings`,
    });
    await open.clock.advance(300_000);
    expect(await sent()).toEqual({ providerId: 'first:1' });
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
  });
});

test('all providers together take no longer than 25 seconds, so that the outbox hears of it', async () => {
  await open.stop();
  const hanging = await Promise.all([startProvider(), startProvider(), startProvider()]);
  open = await openHttpProviders({
    providers: hanging.map(({ origin }, index) => provider(`p${index}`, origin)),
  });
  for (const each of hanging) {
    // Begins to answer, so that it is a refusal and the next one is asked.
    each.always((response) => {
      response.writeHead(500);
      response.write('x');
    });
  }
  const ending = sent();
  for (const [each, ms] of hanging.map((each, index) => [each, [10_000, 10_000, 5_000][index]!] as const)) {
    if (each.received.length === 0) await each.arrival();
    await open.clock.advance(ms - 1);
    expect(open.clock.timersIn(1)).toBe(1);
    await open.clock.advance(1);
  }
  expect(await ending).toEqual({ failure: 'temporary', reason: 'p0: HTTP 500; p1: HTTP 500; p2: HTTP 500' });
  for (const each of hanging) await each.stop();
});

test('the log shows what a provider said, without secrets, codes and numbers', async () => {
  await open.stop();
  open = await openHttpProviders({
    providers: [provider('acme', first.origin, { auth: { bearer: 'bearer-of-acme' } })],
  });
  first.next((response, { headers, body }) =>
    response.writeHead(400).end(`bad: ${headers.authorization} ${body}`),
  );
  const error = await open.send(open.message()).catch((reason: Error) => reason);
  expect((error as Error).cause).toMatchObject({
    message: 'HTTP 400: bad: Bearer … {"to":"…","text":"…"}',
  });
});

test('the log shows no part of a secret where what a provider said is cut, and none of its address', async () => {
  await open.stop();
  const fields = {
    url: `${first.origin}/send/path-secret?k=url-secret-77`,
    auth: { bearer: 'bearer-of-acme' },
  };
  open = await openHttpProviders({ providers: [provider('acme', first.origin, fields)] });
  const { code } = open.message();
  first.always((response, { path }) =>
    response.writeHead(400).end(`Cannot POST ${path} ${'x'.repeat(252)}bearer-of-acme`),
  );
  const said = async () => (await open.send(open.message()).catch((reason: Error) => reason)) as Error;
  expect((await said()).cause).toMatchObject({
    message: expect.stringMatching(/^HTTP 400: Cannot POST \/send\/…\?k=… x+…?$/),
  });
  first.always((response) => response.writeHead(400).end(`${'x'.repeat(297)}${code}`));
  expect((await said()).cause).toMatchObject({ message: expect.stringMatching(/x…$/) });
});

test('a channel reports what the callbacks of its providers report', async () => {
  const callback = { messageId: 'id', status: 's', token: 'token-of-the-test' };
  const receiptsOf = async (...maps: (object | undefined)[]) => {
    const providers = maps.map((map, index) =>
      provider(`p${index}`, first.origin, map && { callback: { ...callback, map } }),
    );
    const opened = await openHttpProviders({ providers });
    await opened.stop();
    return opened.channel.capabilities.receipts;
  };
  expect(await receiptsOf(undefined)).toBe('none');
  expect(await receiptsOf(undefined, { D: 'delivered', F: 'failed' })).toBe('delivered');
  expect(await receiptsOf({ D: 'delivered' }, { R: 'read' })).toBe('read');
});

test('each channel has the providers of its own', async () => {
  await open.stop();
  open = await openHttpProviders({
    providers: [provider('chat', first.origin, { channel: 'http' }), provider('text', second.origin)],
  });
  expect(open.channels.map(({ name, reaches }) => [name, reaches])).toEqual([
    ['sms', 'phone'],
    ['http', 'phone'],
  ]);
  await open.channels[1]!.send(open.message(), new AbortController().signal);
  expect(counts()).toEqual([1, 0]);
});
