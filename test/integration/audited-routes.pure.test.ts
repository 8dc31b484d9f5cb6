import { expect, test } from 'vitest';
import { EVENTS } from '../../src/events/catalogue.ts';
import { ROUTE_ACCESS } from '../support/routes.ts';

/** What each route that changes something as an administrator, or a key that manages something, leaves in the audit log. */
const ACTS: Record<string, keyof typeof EVENTS> = {
  'POST /api/admin/generate-token': 'key.created',
  'POST /api/v1/keys': 'key.created',
  'DELETE /api/v1/keys/:id': 'key.revoked',
  'POST /api/v1/migrate/v3': 'key.imported',
  'POST /api/v1/analytics/rebuild': 'analytics.rebuilt',
  'POST /api/v1/test-numbers': 'test_number.added',
  'POST /api/v1/projects': 'project.created',
  'PATCH /api/v1/projects/:id': 'project.renamed',
  'DELETE /api/v1/projects/:id': 'project.deleted',
  'PUT /api/v1/settings': 'settings.changed',
  'DELETE /api/v1/test-numbers/:id': 'test_number.removed',
  'POST /api/v1/opt-outs': 'number.opted_out',
  'DELETE /api/v1/opt-outs/:phone': 'number.opted_in',
  'POST /api/v1/bot/opt-outs': 'number.opted_out',
  'DELETE /api/v1/bot/opt-outs/:phone': 'number.opted_in',
  'DELETE /api/v1/limits/:phone': 'limits.cleared',
  'POST /api/v1/bot/sessions': 'bot.operated',
  'PATCH /api/v1/bot/sessions/:id': 'bot.operated',
  'DELETE /api/v1/bot/sessions/:id': 'bot.operated',
  'POST /api/v1/bot/sessions/:id/export': 'bot.operated',
  'POST /api/v1/bot/sessions/:id/import': 'bot.operated',
  'POST /api/v1/bot/sessions/:id/logout': 'bot.operated',
  'POST /api/v1/bot/sessions/:id/pairing-code': 'bot.operated',
  'POST /api/v1/bot/sessions/:id/pause': 'bot.operated',
  'POST /api/v1/bot/sessions/:id/restart': 'bot.operated',
  'POST /api/v1/bot/sessions/:id/resume': 'bot.operated',
  'POST /api/v1/bulk/send': 'bulk.operated',
  'POST /api/v1/bulk/:id/pause': 'bulk.operated',
  'POST /api/v1/bulk/:id/resume': 'bulk.operated',
  'POST /api/v1/bulk/:id/cancel': 'bulk.operated',
  'POST /api/v1/templates': 'template.created',
  'PUT /api/v1/templates/:id': 'template.changed',
  'POST /api/v1/templates/:id/restore': 'template.changed',
  'DELETE /api/v1/templates/:id': 'template.deleted',
  'POST /api/v1/webhooks': 'webhook.operated',
  'PATCH /api/v1/webhooks/:id': 'webhook.operated',
  'DELETE /api/v1/webhooks/:id': 'webhook.operated',
  'POST /api/v1/webhooks/:id/recover': 'webhook.operated',
  'POST /api/v1/webhooks/:id/rotate-secret': 'webhook.operated',
  'POST /api/v1/webhooks/:id/test': 'webhook.operated',
  'POST /api/v1/webhooks/deliveries/:id/retry': 'webhook.operated',
  'POST /api/v1/database/backups': 'backup.created',
  'POST /api/v1/database/compact': 'database.compacted',
  'POST /api/v1/database/demo-data': 'database.seeded',
  'DELETE /api/v1/session': 'admin.signed_out',
};

/** Those that change nothing that is kept, or only the virtual phone of a test server. */
const WITHOUT_AN_ACT = [
  'POST /api/v1/database/verify',
  'POST /api/v1/session/ticket',
  'POST /api/v1/templates/lint',
  'POST /api/v1/templates/:id/preview',
  'PUT /api/v1/simulator/faults',
  'POST /api/v1/simulator/reply',
];

/** Sending, checking and scheduling codes are what the product is for; their events tell of them. */
const MANAGES = /^(?:admin:|keys:|templates:|webhooks:|bulk:)/;

test('every route that manages something leaves an act in the audit log, or changes nothing that is kept', () => {
  const managing = Object.entries(ROUTE_ACCESS)
    .filter(([route, access]) => !route.startsWith('GET ') && MANAGES.test(access))
    .map(([route]) => route);
  expect(managing.sort()).toEqual([...Object.keys(ACTS), ...WITHOUT_AN_ACT].sort());
});

test('what they leave is an act, or says who did it', () => {
  const kinds = new Set(Object.values(ACTS));
  const others = [...kinds].filter((type) => !EVENTS[type].audited);
  expect(others).toEqual(['number.opted_out', 'number.opted_in']);
});
