// @ts-check
/**
 * The built modules that benchmarks use, with the types of their sources: a benchmark that no longer fits them fails the
 * type check, and not only its next run.
 * @typedef {{
 *   'analytics/figures.js': typeof import('../src/analytics/figures.ts'),
 *   'analytics/rollups.js': typeof import('../src/analytics/rollups.ts'),
 *   'analytics/tally.js': typeof import('../src/analytics/tally.ts'),
 *   'app.js': typeof import('../src/app.ts'),
 *   'channels/cloud-api/index.js': typeof import('../src/channels/cloud-api/index.ts'),
 *   'channels/email/index.js': typeof import('../src/channels/email/index.ts'),
 *   'channels/http/index.js': typeof import('../src/channels/http/index.ts'),
 *   'channels/whatsapp/send/channel.js': typeof import('../src/channels/whatsapp/send/channel.ts'),
 *   'channels/whatsapp/link/frame-bounds.js': typeof import('../src/channels/whatsapp/link/frame-bounds.ts'),
 *   'channels/whatsapp/send/number-directory.js': typeof import('../src/channels/whatsapp/send/number-directory.ts'),
 *   'channels/whatsapp/send/recipients.js': typeof import('../src/channels/whatsapp/send/recipients.ts'),
 *   'channels/whatsapp/link/sessions.js': typeof import('../src/channels/whatsapp/link/sessions.ts'),
 *   'channels/whatsapp/link/web-version.js': typeof import('../src/channels/whatsapp/link/web-version.ts'),
 *   'channels/whatsapp/send/wire-id.js': typeof import('../src/channels/whatsapp/send/wire-id.ts'),
 *   'config/config.js': typeof import('../src/config/config.ts'),
 *   'database/keyring.js': typeof import('../src/database/keyring.ts'),
 *   'database/master-key.js': typeof import('../src/database/master-key.ts'),
 *   'database/migrate.js': typeof import('../src/database/migrate.ts'),
 *   'database/project.js': typeof import('../src/database/project.ts'),
 *   'database/wodb/examine.js': typeof import('../src/database/wodb/examine.ts'),
 *   'database/wodb/key-check.js': typeof import('../src/database/wodb/key-check.ts'),
 *   'database/wodb/open-error.js': typeof import('../src/database/wodb/open-error.ts'),
 *   'database/wodb/open.js': typeof import('../src/database/wodb/open.ts'),
 *   'database/wodb/run-in-worker.js': typeof import('../src/database/wodb/run-in-worker.ts'),
 *   'database/wodb/unlock.js': typeof import('../src/database/wodb/unlock.js'),
 *   'database/wodb/verify.js': typeof import('../src/database/wodb/verify.ts'),
 *   'events/record.js': typeof import('../src/events/record.ts'),
 *   'lib/clock.js': typeof import('../src/lib/clock.ts'),
 *   'lib/id.js': typeof import('../src/lib/id.ts'),
 *   'addresses/phone.js': typeof import('../src/addresses/phone.ts'),
 *   'lib/seal.js': typeof import('../src/lib/seal.ts'),
 *   'background/troubles.js': typeof import('../src/background/troubles.ts'),
 *   'messages/dispatcher.js': typeof import('../src/messages/dispatcher.ts'),
 *   'messages/service.js': typeof import('../src/messages/service.ts'),
 *   'opt-outs/suppression.js': typeof import('../src/opt-outs/suppression.ts'),
 *   'otp/code.js': typeof import('../src/otp/code.ts'),
 *   'settings/settings.js': typeof import('../src/settings/settings.ts'),
 * }} Built
 */

/**
 * Loads a module of dist/; `ensureBuilt` comes first.
 * @template {keyof Built} Name
 * @param {Name} name
 * @returns {Promise<Built[Name]>}
 */
export function dist(name) {
  return import(new URL(`../dist/${name}`, import.meta.url).href);
}
