import { parsePhoneNumber } from 'libphonenumber-js/max';
import type { Database } from '../../src/database/database.ts';

type Entry = [at: number, status: string, reason: string | null];

/** Recounts the figures of a project from its verifications and messages, one by one, by the words of docs/ANALYTICS.md. */
export async function slowRecount(database: Database, projectId: number) {
  const rows = await database.reader
    .selectFrom('verifications')
    .selectAll()
    .where('project_id', '=', projectId)
    .execute();
  const messages = (
    await database.reader.selectFrom('messages').selectAll().where('project_id', '=', projectId).execute()
  ).map(({ id, owner_id, channel, address, template, timeline, created_at }) => {
    const entries = JSON.parse(timeline) as Entry[];
    const has = (...statuses: string[]) => entries.some(([, status]) => statuses.includes(status));
    const receipt = entries.find(([, status, reason]) => status === 'delivered' && reason === null);
    return {
      id,
      owner: owner_id,
      channel,
      address,
      template: template === null ? null : (JSON.parse(template) as string[])[1]!,
      acceptedAt: created_at,
      isSent: has('sent', 'delivered', 'read'),
      isDelivered: has('delivered', 'read'),
      isFailed: has('failed', 'expired'),
      isSuccessful: has('sent', 'delivered', 'read') && !has('failed', 'expired'),
      deliveryMs: receipt === undefined ? undefined : receipt[0] - created_at,
    };
  });
  const verifications = rows.map(({ phone, purpose, channel, sends, created_at, verified_at }) => {
    const own = (JSON.parse(sends) as [number, string][]).map(
      ([, messageId]) => messages.find((message) => message.id === messageId)!,
    );
    return {
      phone,
      purpose,
      channel,
      messages: own,
      createdAt: created_at,
      isVerified: verified_at !== null,
    };
  });
  const countryOf = (address: string | null) =>
    address === null || address.includes('@') ? '(none)' : parsePhoneNumber(address).country!;

  /** What a local clock shows. */
  function local(time: number, timeZone: string): { date: string; hour: string } {
    const text = new Date(time).toLocaleString('sv-SE', { timeZone });
    return { date: text.slice(0, 10), hour: text.slice(11, 13) };
  }

  const keysOf: Record<string, (each: (typeof verifications)[number], timeZone: string) => string> = {
    country: ({ phone }) => countryOf(phone),
    prefix: ({ phone }) => phone?.slice(0, 7) ?? '(none)',
    template: ({ messages: [first] }) => first!.template ?? '(none)',
    purpose: ({ purpose }) => purpose,
    hour: ({ createdAt }, timeZone) => local(createdAt, timeZone).hour,
  };

  return {
    /** By key, of those that have any. */
    conversion(by: string, dates: [from: string, to: string], timeZone: string) {
      const keys = new Map<string, { sent: number; delivered: number; verified: number }>();
      const add = (key: string, isSent: boolean, isDelivered: boolean, isVerified: boolean) => {
        const counts = keys.get(key) ?? { sent: 0, delivered: 0, verified: 0 };
        keys.set(key, counts);
        counts.sent += Number(isSent);
        counts.delivered += Number(isDelivered);
        counts.verified += Number(isVerified);
      };
      for (const each of verifications) {
        const { date } = local(each.createdAt, timeZone);
        if (date < dates[0] || date > dates[1]) continue;
        if (by === 'channel') {
          for (const channel of new Set(each.messages.map((message) => message.channel))) {
            const own = each.messages.filter((message) => message.channel === channel);
            const isVerified = each.isVerified && each.channel === channel;
            add(
              channel,
              own.some(({ isSent }) => isSent),
              own.some(({ isDelivered }) => isDelivered),
              isVerified,
            );
          }
        } else {
          add(
            keysOf[by]!(each, timeZone),
            each.messages.some(({ isSent }) => isSent),
            each.messages.some(({ isDelivered }) => isDelivered),
            each.isVerified,
          );
        }
      }
      return [...keys]
        .filter(([, counts]) => counts.sent + counts.delivered + counts.verified > 0)
        .map(([key, counts]) => ({ key, ...counts }))
        .sort((a, b) => (a.key < b.key ? -1 : 1));
    },

    /** The messages of a local day. */
    day(date: string, timeZone: string) {
      const own = messages.filter(({ acceptedAt }) => local(acceptedAt, timeZone).date === date);
      const total = own.length;
      const successful = own.filter(({ isSuccessful }) => isSuccessful).length;
      return { date, total, successful, failed: own.filter(({ isFailed }) => isFailed).length };
    },

    /** Delivery times in local days, ascending, by the channel or the country. */
    deliveries(by: 'channel' | 'country', dates: [from: string, to: string], timeZone: string) {
      const keys = new Map<string, number[]>();
      for (const { channel, address, acceptedAt, deliveryMs } of messages) {
        const { date } = local(acceptedAt, timeZone);
        if (deliveryMs === undefined || date < dates[0] || date > dates[1]) continue;
        const key = by === 'channel' ? channel : countryOf(address);
        keys.set(key, [...(keys.get(key) ?? []), deliveryMs]);
      }
      for (const times of keys.values()) times.sort((a, b) => a - b);
      return keys;
    },

    /** Messages to each phone in local days, most first. */
    topPhones(dates: [from: string, to: string], timeZone: string) {
      const counts = new Map<string, number>();
      for (const { address, acceptedAt, isSent } of messages) {
        const { date } = local(acceptedAt, timeZone);
        if (!isSent || address.includes('@') || date < dates[0] || date > dates[1]) continue;
        counts.set(address, (counts.get(address) ?? 0) + 1);
      }
      return [...counts]
        .map(([phone, count]) => ({ phone, count }))
        .sort((a, b) => b.count - a.count || (a.phone < b.phone ? -1 : 1));
    },
  };
}
