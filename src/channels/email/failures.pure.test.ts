import { describe, expect, test } from 'vitest';
import { CODE, emailChannels } from '../../../test/support/email-channel.ts';
import { SendError } from '../../messages/channel.ts';

const { advance, mailServer, channelTo, channelOf, message, send, failureOf } = emailChannels();

describe('an answer of the mail server', () => {
  test.each([
    [
      '550 5.1.1 <jo@example.net> no such user',
      'permanent',
      'there is no such mailbox: 550 5.1.1 <j***@example.net>',
    ],
    ['553 5.1.3 bad address', 'permanent', 'there is no such mailbox'],
    ['552 5.2.2 mailbox full', 'permanent', 'the mailbox is full'],
    ['556 5.1.10 null MX', 'permanent', 'the domain takes no mail'],
    ['550 5.7.1 blocked by policy', 'permanent', 'the mail server refused the recipient'],
    ['450 4.2.1 mailbox busy', 'deferred', 'the mail server could not take the mail now'],
    ['450 mailbox busy', 'deferred', 'the mail server could not take the mail now'],
    ['452 out of storage', 'temporary', 'the mail server could not take the mail now'],
    ['451 4.3.0 temporary lookup failure', 'temporary', 'the mail server could not take the mail now'],
    ['452 4.3.1 no storage', 'temporary', 'the mail server could not take the mail now'],
    ['503 5.5.1 bad sequence', 'temporary', 'the mail server could not take the mail now'],
  ] as const)('%s to the recipient is %s: %s', async (answer, failure, reason) => {
    const server = await mailServer();
    server.onRecipient = () => answer;
    const channel = channelOf(server);
    const refused = await failureOf(channel);
    expect(refused).toMatchObject({ failure, retryAfterMs: undefined });
    expect(refused.reason).toContain(reason);
    expect(refused.reason).not.toContain('jo@example.net');
    expect(channel.waitReason).toBeUndefined();
    server.onRecipient = () => 'go on';
    await send(channel);
    expect(server.mails).toHaveLength(1);
  });

  test.each(['451 4.7.1 Greylisted, come back later', '450 4.2.0 greylisting in action'] as const)(
    '%s is worth another try after a minute, with the same envelope',
    async (answer) => {
      const server = await mailServer();
      server.onRecipient = () => answer;
      const channel = channelOf(server);
      const outgoing = message();
      expect(await failureOf(channel, outgoing)).toMatchObject({
        failure: 'deferred',
        retryAfterMs: 60_000,
      });
      server.onRecipient = () => 'go on';
      await send(channel, outgoing);
      expect(server.mails[0]!.envelope).toEqual({ from: 'no-reply@example.com', to: ['jo@example.net'] });
    },
  );

  test.each([
    ['554 5.6.0 content refused: 482913', 'permanent'],
    ['552 5.3.4 message too big', 'permanent'],
    ['451 4.3.0 local error', 'temporary'],
    ['451 4.7.0 too much mail from you', 'temporary'],
    ['451 4.7.1 greylisted', 'deferred'],
  ] as const)('%s to the message is %s, and the code is not repeated', async (answer, failure) => {
    const server = await mailServer();
    server.onMessage = () => answer;
    const refused = await failureOf(channelOf(server));
    expect(refused.failure).toBe(failure);
    expect(refused.reason).not.toContain(CODE);
  });

  test('421 costs no try, at whatever step it comes', async () => {
    for (const step of ['onConnect', 'onSender', 'onRecipient', 'onMessage'] as const) {
      const server = await mailServer();
      server[step] = () => '421 4.3.2 closing';
      const channel = channelOf(server);
      expect(await failureOf(channel), step).toMatchObject({ failure: 'unavailable' });
      expect(channel.readiness(), step).toMatchObject({ state: 'waiting' });
    }
  });

  test.each([
    ['onSender', '550 5.7.1 sender not allowed', 'refused the sender (SMTP_FROM)'],
    ['onSender', '530 5.7.0 authentication required', 'refused to sign us in'],
    ['onRecipient', '554 5.7.1 Relay access denied', 'does not relay for us'],
    ['onConnect', '554 5.7.1 your address is blocked', 'refused the connection'],
  ] as const)('at %s %s is for the operator, and the message stays', async (step, answer, reason) => {
    const server = await mailServer();
    server[step] = () => answer;
    const channel = channelOf(server);
    const refused = await failureOf(channel);
    expect(refused.failure).toBe('unavailable');
    expect(refused.reason).toContain(reason);
    expect(channel.readiness()).toEqual({ state: 'offline', reason: refused.reason });
    await advance(30_000);
    expect(channel.readiness()).toEqual({ state: 'ready' });
    expect(channel.capabilities.concurrency).toBe(1);
  });

  test('of the server is shown without the code, also where it is cut', async () => {
    const server = await mailServer();
    server.onMessage = () => `554 5.7.1 ${'x'.repeat(187)}${CODE}`;
    const { reason } = await failureOf(channelOf(server));
    expect(reason).toMatch(/x\u2022/);
    expect(reason).not.toMatch(/\d{4}/);
  });
});

describe('a connection', () => {
  test('that is cut in the middle of a message is worth another try', async () => {
    const server = await mailServer();
    server.onMessageBegin = () => 'cut';
    const long = { ...message(), text: `${CODE}\n${'A long message. '.repeat(50_000)}` };
    expect(await failureOf(channelOf(server), long)).toMatchObject({ failure: 'temporary' });
    expect(server.mails).toEqual([]);
  });

  test('that is cut at the sender or the recipient is worth another try', async () => {
    for (const step of ['onSender', 'onRecipient'] as const) {
      const server = await mailServer();
      server[step] = () => 'cut';
      expect(await failureOf(channelOf(server)), step).toMatchObject({ failure: 'temporary' });
    }
  });

  test('that is cut after the message was complete leaves it uncertain: it may have been delivered', async () => {
    const server = await mailServer();
    server.onMessage = () => 'cut';
    const channel = channelOf(server);
    expect(await failureOf(channel)).toMatchObject({
      failure: 'uncertain',
      reason: 'the mail server got the mail and did not answer',
    });
    expect(server.mails).toHaveLength(1);
    expect(channel.readiness()).toEqual({ state: 'ready' });
  });

  test('on which the server falls silent after the message was complete leaves it uncertain too', async () => {
    const server = await mailServer();
    server.onMessage = () => new Promise(() => {});
    expect(await failureOf(channelOf(server, { silenceMs: 200 }))).toMatchObject({ failure: 'uncertain' });
  });

  test('that takes longer than a try may take ends the try, which is uncertain once the message was complete', async () => {
    const server = await mailServer();
    let complete = () => {};
    const isComplete = new Promise<void>((resolve) => {
      complete = resolve;
    });
    server.onMessage = () => {
      complete();
      return new Promise(() => {});
    };
    const failure = failureOf(channelOf(server));
    await isComplete;
    await advance(25_000);
    expect(await failure).toMatchObject({ failure: 'uncertain' });
  });

  test('that is refused, or to which nobody says hello, costs no try', async () => {
    const server = await mailServer();
    const channel = channelOf(server);
    await server.stop();
    expect(await failureOf(channel)).toMatchObject({
      failure: 'unavailable',
      reason: 'the mail server cannot be reached (ECONNREFUSED)',
    });

    const silent = await mailServer();
    silent.onConnect = () => 'cut';
    expect(await failureOf(channelOf(silent))).toMatchObject({ failure: 'unavailable' });
  });

  test('ends when the server stops, with the reason that the dispatcher gives', async () => {
    const server = await mailServer();
    let atRecipient = () => {};
    const isThere = new Promise<void>((resolve) => {
      atRecipient = resolve;
    });
    const channel = channelOf(server, { silenceMs: 10_000 });
    const abort = new AbortController();
    const reason = new SendError('unavailable', 'server stopping');
    server.onRecipient = () => {
      abort.abort(reason);
      atRecipient();
      return 'go on';
    };
    await expect(send(channel, message(), abort.signal)).rejects.toBe(reason);
    await isThere;
    expect(channel.readiness()).toEqual({ state: 'ready' });
  });
});

describe('a server that cannot send', () => {
  test('is left alone, longer each time, and asked with one mail at a time until one gets through', async () => {
    const server = await mailServer();
    server.onConnect = () => '421 4.3.2 busy';
    const channel = channelOf(server);
    await failureOf(channel);
    expect(channel.waitReason).toContain('closing or busy');
    expect(channel.capabilities.concurrency).toBe(1);
    await advance(5_000);
    expect(channel.waitReason).toBeUndefined();
    expect(channel.capabilities.concurrency).toBe(1);
    server.onConnect = () => 'go on';
    await send(channel);
    expect(channel.readiness()).toEqual({ state: 'ready' });
    expect(channel.capabilities.concurrency).toBe(5);
  });

  test('because of a wrong password is asked every half a minute at first, and every ten in the end', async () => {
    const server = await mailServer({ password: 'right' });
    const channel = channelTo(`smtp://wotp:wrong@127.0.0.1:${server.port}`);
    const waits: number[] = [];
    for (let times = 0; times < 7; times++) {
      const refused = await failureOf(channel);
      expect(refused).toMatchObject({ failure: 'unavailable' });
      expect(refused.reason).toContain('refused to sign us in: 535 5.7.8');
      let seconds = 0;
      while (channel.waitReason !== undefined) {
        await advance(10_000);
        seconds += 10;
      }
      waits.push(seconds);
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 600, 600]);
    expect(server.mails).toEqual([]);
  });

  test('counts mails that fail together as one failure', async () => {
    const server = await mailServer({ password: 'right' });
    const channel = channelTo(`smtp://wotp:wrong@127.0.0.1:${server.port}`);
    await Promise.all(Array.from({ length: 5 }, () => failureOf(channel)));
    await advance(29_999);
    expect(channel.waitReason).toBeDefined();
    await advance(1);
    expect(channel.waitReason).toBeUndefined();
  });
});
