import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CloudApi, openCloudApi } from '../../../test/support/cloud-api.ts';
import {
  ACCOUNT,
  type GraphStandIn,
  refusing,
  SENDERS,
  startGraph,
} from '../../../test/support/graph-stand-in.ts';
import { answering } from '../../../test/support/provider-stand-in.ts';
import type { SendError } from '../../messages/channel.ts';

let graph: GraphStandIn;
let open: CloudApi;

beforeEach(async () => {
  graph = await startGraph();
  open = await openCloudApi(graph.origin);
});
afterEach(async () => {
  await open.stop();
  await graph.stop();
});

const [FIRST, SECOND] = SENDERS;
const sent = () => open.send();
const accepted = () => ({ providerId: graph.wamids.at(-1) });

describe('a limit', () => {
  test.each([
    [130429, 400, 1_000, 'waiting'],
    [131057, 500, 60_000, 'offline'],
  ])('%i of a number lets it rest, and the next one sends', async (code, status, restMs, state) => {
    graph.next(refusing(code, { status }));
    expect(await sent()).toEqual(accepted());
    expect(graph.sendersUsed()).toEqual([FIRST, SECOND]);
    graph.next(refusing(code, { status }));
    expect(await sent()).toMatchObject({ failure: 'unavailable', retryAfterMs: restMs });
    expect(open.channel.readiness()).toMatchObject({ state });
    await open.clock.advance(restMs);
    expect(await sent()).toEqual(accepted());
    expect(graph.sendersUsed().at(-1)).toBe(FIRST);
  });

  test('that lasts is asked about less and less often', async () => {
    graph.always(refusing(130429));
    const waits: unknown[] = [];
    for (let count = 0; count < 7; count++) {
      const { retryAfterMs } = (await sent()) as Partial<SendError>;
      waits.push(retryAfterMs);
      await open.clock.advance(retryAfterMs!);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    graph.always(graph.honest);
    await sent();
    graph.always(refusing(130429));
    expect(await sent()).toMatchObject({ retryAfterMs: expect.any(Number) });
  });

  test.each([4, 80007])('%i of the account lets every number rest for minutes', async (code) => {
    graph.next(refusing(code, { status: 429 }));
    expect(await sent()).toMatchObject({ failure: 'unavailable', retryAfterMs: 60_000 });
    expect(graph.sendersUsed()).toEqual([FIRST]);
    expect(open.channel.readiness().state).toBe('offline');
  });

  test('lasts as long as Meta says', async () => {
    const usage = { [ACCOUNT]: [{ type: 'messaging', estimated_time_to_regain_access: 7 }] };
    graph.next(
      refusing(80007, { headers: { 'x-business-use-case-usage': JSON.stringify(usage) } }),
      refusing(80007, { headers: { 'retry-after': '90' } }),
      refusing(80007, { headers: { 'x-business-use-case-usage': 'not JSON' } }),
    );
    expect(await sent()).toMatchObject({ retryAfterMs: 420_000 });
    await open.clock.advance(420_000);
    expect(await sent()).toMatchObject({ retryAfterMs: 90_000 });
    await open.clock.advance(90_000);
    expect(await sent()).toMatchObject({ failure: 'unavailable', retryAfterMs: expect.any(Number) });
  });

  test.each([
    [{}, 1_000],
    [{ 'retry-after': '9' }, 9_000],
    [{ 'retry-after': 'soon' }, 1_000],
  ])('of a gateway (429 %j) lets the number rest', async (headers, restMs) => {
    graph.next(answering(429, 'Too many requests', headers), answering(429, '', headers));
    expect(await sent()).toMatchObject({ failure: 'unavailable', retryAfterMs: restMs });
    expect(open.channel.readiness().state).toBe('waiting');
  });

  test('131056 of a pair is met from the other number, and then waits 1, 4, 16 s', async () => {
    graph.next(refusing(131056));
    expect(await sent()).toEqual(accepted());
    expect(graph.sendersUsed()).toEqual([FIRST, SECOND]);
    graph.always(refusing(131056));
    const message = open.message();
    const waits: unknown[] = [];
    for (let count = 0; count < 2; count++) {
      const failed = (await open.send(message)) as Partial<SendError>;
      expect(failed.failure).toBe('deferred');
      waits.push(failed.retryAfterMs);
    }
    expect(waits).toEqual([1_000, 4_000]);
    expect(graph.sendersUsed().slice(2)).toEqual([FIRST, SECOND, FIRST, SECOND]);
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
  });

  test('of a pair is kept: 45 at once to one recipient, then one in 6 s', async () => {
    await open.stop();
    open = await openCloudApi(graph.origin, { CLOUD_API_PHONE_NUMBER_ID: FIRST });
    for (let count = 0; count < 45; count++) {
      const sending = sent();
      await open.clock.advance(100);
      expect(await sending).toEqual(accepted());
    }
    expect(await sent()).toMatchObject({
      failure: 'deferred',
      reason: 'too many messages to this recipient',
      retryAfterMs: 1_500,
    });
    expect(graph.received).toHaveLength(45);
    expect(await open.send(open.message({ to: '+12025550124' }))).toEqual(accepted());
    await open.clock.advance(6_000);
    expect(await sent()).toEqual(accepted());
  });

  test('of 80 messages a second is kept for each number', async () => {
    const arrived: number[] = [];
    graph.always((response, request) => {
      arrived.push(open.clock.now());
      graph.honest(response, request);
    });
    const sending = Array.from({ length: 200 }, (_, i) =>
      open.send(open.message({ to: `+1202555${String(1_000 + i)}` })),
    );
    while (arrived.length < 200) await open.clock.advance(10);
    expect((await Promise.all(sending)).every((each) => 'providerId' in each)).toBe(true);
    const used = graph.sendersUsed();
    for (const sender of SENDERS) {
      const times = arrived.filter((_, i) => used[i] === sender);
      expect(times.length).toBe(100);
      const inAnySecond = times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length);
      expect(Math.max(...inAnySecond)).toBeLessThanOrEqual(80);
      expect(Math.max(...inAnySecond)).toBeGreaterThan(60);
    }
  });
});
