import { afterEach, beforeEach } from 'vitest';
import { EmailChannel } from '../../src/channels/email/channel.ts';
import { loadConfig } from '../../src/config/config.ts';
import { readSmtpCertificates } from '../../src/config/email-files.ts';
import { newId } from '../../src/lib/id.ts';
import { type OutgoingMessage, SendError } from '../../src/messages/channel.ts';
import { type MailServer, startMailServer } from './mail-server.ts';
import { silentTroubles } from './silent-log.ts';
import { type TestClock, testClock } from './test-clock.ts';

/** The code in the messages. */
export const CODE = '482913';

/** Mail servers and e-mail channels of a test file, which end with each test. */
export function emailChannels() {
  let clock: TestClock;
  let servers: MailServer[];
  let channels: EmailChannel[];

  beforeEach(() => {
    clock = testClock();
    servers = [];
    channels = [];
  });
  afterEach(async () => {
    for (const channel of channels) await channel.stop();
    for (const server of servers) await server.stop();
  });

  function channelTo(url: string, { silenceMs = 2_000, connectMs = 2_000 } = {}): EmailChannel {
    const { email } = loadConfig({ SMTP_URL: url, SMTP_FROM: 'Example <no-reply@example.com>' });
    const channel = new EmailChannel({
      server: email.server!,
      ca: readSmtpCertificates(email),
      senderOf: () => ({ from: email.from!, brand: 'Example' }),
      clock,
      troubles: silentTroubles,
      times: { connectMs, silenceMs },
    });
    channels.push(channel);
    return channel;
  }

  function message(to = 'jo@example.net'): OutgoingMessage {
    return {
      id: newId('msg', clock.now()),
      projectId: 1,
      to,
      text: `Your verification code is ${CODE}. It is valid for 5 minutes.`,
      code: CODE,
      expiresAt: clock.now() + 300_000,
    };
  }

  const send = (channel: EmailChannel, outgoing = message(), signal = new AbortController().signal) =>
    channel.send(outgoing, signal);

  return {
    advance: (ms: number) => clock.advance(ms),

    async mailServer(options: Parameters<typeof startMailServer>[0] = {}): Promise<MailServer> {
      const server = await startMailServer(options);
      servers.push(server);
      return server;
    },

    /** A channel to the server in an `SMTP_URL`. */
    channelTo,
    /** A channel without TLS; the times in ms. */
    channelOf: (server: MailServer, times = {}) => channelTo(`smtp://127.0.0.1:${server.port}`, times),
    message,
    send,

    /** Sends a message that the channel does not take. */
    async failureOf(channel: EmailChannel, outgoing = message()): Promise<SendError> {
      const error: unknown = await send(channel, outgoing).then(
        () => new Error('The message was sent.'),
        (thrown: unknown) => thrown,
      );
      if (error instanceof SendError) return error;
      throw error;
    },
  };
}
