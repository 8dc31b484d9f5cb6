// @ts-check
/**
 * The built modules that benchmarks use, with the types of their sources: a benchmark that no longer fits them fails the
 * type check, and not only its next run.
 * @typedef {{
 *   'app.js': typeof import('../src/app.ts'),
 *   'channels/whatsapp/channel.js': typeof import('../src/channels/whatsapp/channel.ts'),
 *   'channels/whatsapp/frame-bounds.js': typeof import('../src/channels/whatsapp/frame-bounds.ts'),
 *   'channels/whatsapp/number-directory.js': typeof import('../src/channels/whatsapp/number-directory.ts'),
 *   'channels/whatsapp/recipients.js': typeof import('../src/channels/whatsapp/recipients.ts'),
 *   'channels/whatsapp/sessions.js': typeof import('../src/channels/whatsapp/sessions.ts'),
 *   'channels/whatsapp/web-version.js': typeof import('../src/channels/whatsapp/web-version.ts'),
 *   'channels/whatsapp/wire-id.js': typeof import('../src/channels/whatsapp/wire-id.ts'),
 *   'config/config.js': typeof import('../src/config/config.ts'),
 *   'database/keyring.js': typeof import('../src/database/keyring.ts'),
 *   'database/master-key.js': typeof import('../src/database/master-key.ts'),
 *   'database/migrate.js': typeof import('../src/database/migrate.ts'),
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
 *   'lib/phone.js': typeof import('../src/lib/phone.ts'),
 *   'lib/seal.js': typeof import('../src/lib/seal.ts'),
 *   'lib/troubles.js': typeof import('../src/lib/troubles.ts'),
 *   'messages/dispatcher.js': typeof import('../src/messages/dispatcher.ts'),
 *   'messages/service.js': typeof import('../src/messages/service.ts'),
 *   'opt-outs/suppression.js': typeof import('../src/opt-outs/suppression.ts'),
 *   'otp/code.js': typeof import('../src/otp/code.ts'),
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
