import type { Answer, TestApp } from './test-app.ts';

/** A source of random numbers that gives the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    below: (count: number) => Math.floor(next() * count),
    of: <T>(list: readonly T[]): T | undefined => list[Math.floor(next() * list.length)],
  };
}

/** Ids of everything that belongs to one project. */
const IDS = /\b(?:ver|msg|key|tpl|sch|blk|evt|whk|dlv|ses)_[0-7][0-9a-hjkmnp-tv-z]{25}\b/g;

export interface Tenant {
  /** Stands in every text that it makes: no other one may ever see it. */
  mark: string;
  projectId: string;
  number: number;
  key: string;
  /** Every id that it has seen, in whatever answer, event or webhook. */
  seen: Set<string>;
  /** Everything that it was given, to look for marks in. */
  texts: string[];
  /** Where its webhooks go. */
  hook: string;
}

/** Notes what a tenant was given. */
export function note(tenant: Tenant, text: string): void {
  for (const id of text.match(IDS) ?? []) tenant.seen.add(id);
  tenant.texts.push(text);
}

const idsOf = (tenant: Tenant, prefix: string) =>
  [...tenant.seen].filter((id) => id.startsWith(`${prefix}_`));

/** The phones of both: what one does with a number must not matter to the other. */
const PHONES = Array.from({ length: 40 }, (_, i) => `+62812${34_700_000 + i}`);

/** What a tenant can do, each with ids of its own or, in `asStranger`, with those of another. */
export function operationsOf(server: TestApp, random: ReturnType<typeof seededRandom>) {
  type Body = Record<string, unknown>;
  async function call(
    tenant: Tenant,
    method: string,
    path: string,
    body?: Body,
    headers = {},
  ): Promise<Answer> {
    const answer = await server.call(method, path, { key: tenant.key, body, headers });
    note(tenant, answer.text);
    return answer;
  }
  async function admin(tenant: Tenant, method: string, path: string, body?: Body): Promise<Answer> {
    const { projectId } = tenant;
    const named =
      body === undefined ? `${path}${path.includes('?') ? '&' : '?'}projectId=${projectId}` : path;
    const answer = await server.call(method, named, { asAdmin: true, body: body && { ...body, projectId } });
    note(tenant, answer.text);
    return answer;
  }
  const phone = () => random.of(PHONES)!;
  const own = (tenant: Tenant, prefix: string) => random.of(idsOf(tenant, prefix)) ?? `${prefix}_none`;
  const later = () => new Date(server.clock.now() + 3_600_000).toISOString();
  const body = ({ mark }: Tenant) => ({ metadata: { mark }, purpose: mark });

  const operations: ((tenant: Tenant) => Promise<unknown>)[] = [
    (t) => call(t, 'POST', 'otp/send', { phone: phone(), ...body(t) }),
    (t) => call(t, 'POST', 'otp/send', { phone: phone(), email: `${t.mark}@example.com`, ...body(t) }),
    (t) => call(t, 'POST', 'otp/send', { phone: phone(), template: 'shared', ...body(t) }),
    (t) => call(t, 'POST', 'otp/send', { phone: PHONES[0], ...body(t) }, { 'idempotency-key': 'same' }),
    (t) => call(t, 'POST', 'otp/verify', { id: own(t, 'ver'), code: '000000' }),
    (t) => call(t, 'POST', 'otp/verify', { phone: phone(), purpose: t.mark, code: '000000' }),
    (t) => call(t, 'POST', `otp/${own(t, 'ver')}/resend`),
    (t) => call(t, 'POST', `otp/${own(t, 'ver')}/next`),
    (t) => call(t, 'POST', `otp/${own(t, 'ver')}/cancel`),
    (t) => call(t, 'GET', `otp/${own(t, 'ver')}`),
    (t) => call(t, 'GET', 'otp?limit=200'),
    (t) => call(t, 'GET', `otp?phone=${encodeURIComponent(phone())}&status=pending`),
    (t) => call(t, 'GET', 'keys'),
    (t) => call(t, 'POST', 'keys', { name: t.mark, permissions: ['otp:send'] }),
    (t) => call(t, 'GET', 'templates'),
    (t) => call(t, 'GET', `templates/${own(t, 'tpl')}`),
    (t) =>
      call(t, 'PUT', `templates/${own(t, 'tpl')}`, { content: `${t.mark} {{code}} ${random.below(1e6)}` }),
    (t) => call(t, 'GET', `templates/${own(t, 'tpl')}/versions`),
    (t) =>
      call(t, 'POST', 'bulk/send', { recipients: [{ phone: phone() }], template: `${t.mark} says hello` }),
    (t) => call(t, 'POST', 'bulk/send', { recipients: [{ phone: phone() }], templateCode: 'shared' }),
    (t) => call(t, 'GET', 'bulk'),
    (t) => call(t, 'GET', `bulk/status/${own(t, 'blk')}`),
    (t) => call(t, 'GET', `bulk/${own(t, 'blk')}/results`),
    (t) => call(t, 'POST', 'scheduler/schedule', { phone: phone(), scheduledTime: later(), ...body(t) }),
    (t) => call(t, 'GET', 'scheduler/list'),
    (t) => call(t, 'GET', `scheduler/${own(t, 'sch')}`),
    (t) => call(t, 'DELETE', `scheduler/cancel/${own(t, 'sch')}`),
    (t) => call(t, 'GET', 'webhooks'),
    (t) => call(t, 'GET', `webhooks/${own(t, 'whk')}/deliveries`),
    (t) => call(t, 'GET', 'simulator/messages?limit=200'),
    (t) => call(t, 'GET', 'stats'),
    (t) => call(t, 'GET', 'channels'),
    (t) => admin(t, 'POST', 'opt-outs', { phone: PHONES[random.below(4)], note: t.mark }),
    (t) => admin(t, 'GET', 'opt-outs'),
    (t) => admin(t, 'GET', `limits/${encodeURIComponent(phone())}`),
    (t) => admin(t, 'PUT', 'settings', { BRAND_NAME: t.mark, OTP_LENGTH: 6 + random.below(4) }),
    (t) => admin(t, 'GET', 'settings'),
    (t) => admin(t, 'GET', 'settings/history'),
  ];

  /** Each route that names something, with an id of another; it has to answer as for an id that never was. */
  const foreign: ((id: (prefix: string) => string) => [method: string, path: string, body?: Body])[] = [
    (id) => ['GET', `otp/${id('ver')}`],
    (id) => ['POST', `otp/${id('ver')}/resend`],
    (id) => ['POST', `otp/${id('ver')}/next`],
    (id) => ['POST', `otp/${id('ver')}/cancel`],
    (id) => ['POST', 'otp/verify', { id: id('ver'), code: '000000' }],
    (id) => ['DELETE', `keys/${id('key')}`],
    (id) => ['GET', `templates/${id('tpl')}`],
    (id) => ['PUT', `templates/${id('tpl')}`, { content: 'taken {{code}}' }],
    (id) => ['DELETE', `templates/${id('tpl')}`],
    (id) => ['POST', `templates/${id('tpl')}/restore`, { version: 1 }],
    (id) => ['POST', `templates/${id('tpl')}/preview`, {}],
    (id) => ['GET', `bulk/status/${id('blk')}`],
    (id) => ['GET', `bulk/${id('blk')}/results`],
    (id) => ['POST', `bulk/${id('blk')}/pause`],
    (id) => ['POST', `bulk/${id('blk')}/cancel`],
    (id) => ['GET', `scheduler/${id('sch')}`],
    (id) => ['PUT', `scheduler/${id('sch')}`, { scheduledTime: later() }],
    (id) => ['DELETE', `scheduler/cancel/${id('sch')}`],
    (id) => ['GET', `webhooks/${id('whk')}`],
    (id) => ['PATCH', `webhooks/${id('whk')}`, { enabled: false }],
    (id) => ['POST', `webhooks/${id('whk')}/test`],
    (id) => ['POST', `webhooks/${id('whk')}/rotate-secret`],
    (id) => ['GET', `webhooks/${id('whk')}/deliveries`],
    (id) => ['POST', `webhooks/deliveries/${id('dlv')}/retry`],
    (id) => ['DELETE', `webhooks/${id('whk')}`],
  ];
  const NEVER = (prefix: string) => `${prefix}_01jd3x8zq2e6v9k5m7n0p4r8st`;
  /** What an answer says, but for what every answer has for itself. */
  const said = ({ status, body: { code, detail, errors } }: Answer) => ({ status, code, detail, errors });

  return {
    random: (tenant: Tenant) => random.of(operations)!(tenant),
    /** Runs every operation once, so that both have something of everything. */
    async all(tenant: Tenant): Promise<void> {
      for (const operation of operations) await operation(tenant);
    },
    /** What a stranger gets for an id of a tenant, and what for one that never was. */
    async asStranger(stranger: Tenant, tenant: Tenant) {
      const make = random.of(foreign)!;
      const [method, path, given] = make((prefix) => own(tenant, prefix));
      const theirs = await call(stranger, method, path, given);
      const never = await call(stranger, ...make(NEVER));
      return { request: `${method} ${path}`, theirs: said(theirs), never: said(never) };
    },
    strangers: foreign.length,
  };
}
