import { z } from 'zod';
import { iso, isoOrNull, timestamp } from '../../http/schemas.ts';
import { proxyProblem, withoutPassword } from './link/proxy-agent.ts';
import { SESSION_STATES } from './link/session.ts';
import type { SessionView } from './link/sessions.ts';
import type { SenderView } from './send/channel.ts';

const sessionId = z.string().max(64).meta({ example: 'ses_01jd3x8zq2e6v9k5m7n0p4r8st' });
export const idParams = z.object({ id: sessionId });
export const name = z.string().trim().min(1).max(100).nullable().meta({ example: 'Support phone' });
export const proxy = z
  .string()
  .max(500)
  .superRefine((text, check) => {
    const message = proxyProblem(text);
    if (message !== undefined) check.addIssue({ code: 'custom', message });
  })
  .nullable()
  .meta({
    description: 'The proxy to reach WhatsApp through; null for none.',
    example: 'socks5://user:password@10.0.0.1:1080',
  });
export const picture = z.instanceof(Buffer);
export const linkingCode = z
  .object({ code: z.string().meta({ example: 'K7RM-2QXP' }), expiresAt: timestamp })
  .meta({ title: 'PairingCode', description: 'The code to type into the phone.' });

const health = z
  .object({
    score: z.int().min(0).max(100).meta({ description: '100: no known problems.' }),
    reasons: z.array(z.string()).meta({ description: 'What lowers the score, the most severe first.' }),
    newChats: z
      .enum(['open', 'stopped'])
      .meta({ description: 'Whether it opens new chats (recipients it has not written to before).' }),
    newChatsReason: z.string().nullable(),
    newChatsStoppedUntil: timestamp.nullable(),
    leftToday: z.int().meta({ description: 'Messages it may still send today (UTC).' }),
    inFlight: z.int().meta({ description: 'Messages in flight.' }),
  })
  .meta({ title: 'SendingHealth' });

export const view = z
  .object({
    id: sessionId,
    name: z.string().nullable(),
    state: z.enum(SESSION_STATES),
    phone: z
      .string()
      .nullable()
      .meta({ description: 'The number linked last, E.164.', example: '+6283834946034' }),
    reason: z.string().nullable().meta({ description: 'Why it is in this state.' }),
    nextAttemptAt: timestamp.nullable().meta({ description: 'When it reconnects automatically.' }),
    warning: z.string().nullable().meta({ description: 'What to do soon, although it works now.' }),
    proxy: z.string().nullable().meta({ description: 'Without its password.' }),
    linkedAt: timestamp.nullable(),
    phoneSeenAt: timestamp
      .nullable()
      .meta({ description: 'When the phone itself was last seen, to the hour.' }),
    pairingCode: linkingCode.nullable(),
    health: health
      .nullable()
      .meta({ description: 'Sending health; null until it has connected, and while logged out or banned.' }),
    createdAt: timestamp,
  })
  .meta({ title: 'Session', description: 'A WhatsApp session.' });

export const exportedFiles = z.object({ files: z.record(z.string(), z.string()) }).meta({
  title: 'ExportedSession',
  description: 'The files of a Baileys multi-file folder.',
});

/** WhatsApp lets it send nothing, however well it did before. */
const CANNOT_SEND: readonly string[] = ['logged_out', 'banned'];

/** A session as the API shows it; `sender` is what it does as one. */
export function answerOf(session: SessionView, sender: SenderView | undefined) {
  const { id, name, state, phone, reason, warning, proxy, pairingCode } = session;
  return {
    id,
    name,
    state,
    phone,
    reason,
    nextAttemptAt: isoOrNull(session.nextAttemptAt),
    warning,
    proxy: proxy === null ? null : withoutPassword(proxy),
    linkedAt: isoOrNull(session.linkedAt),
    phoneSeenAt: isoOrNull(session.phoneSeenAt),
    pairingCode: pairingCode && { code: pairingCode.text, expiresAt: iso(pairingCode.expiresAt) },
    health: sender && !CANNOT_SEND.includes(state) ? healthOf(sender) : null,
    createdAt: iso(session.createdAt),
  };
}

function healthOf({ health: { score, reasons, newChats }, leftToday, inHand }: SenderView) {
  return {
    score,
    reasons,
    newChats: newChats.open ? ('open' as const) : ('stopped' as const),
    newChatsReason: newChats.open ? null : newChats.reason,
    newChatsStoppedUntil: newChats.open ? null : iso(newChats.until),
    leftToday,
    inFlight: inHand,
  };
}
