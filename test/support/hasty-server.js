// @ts-check
// `wotp serve` in which a wait of a minute takes a moment, and which has a bug of its own that SIGUSR2 brings out.
const real = globalThis.setTimeout;
const MINUTE_MS = 60_000;
const hasty = (/** @type {() => void} */ callback, /** @type {number} */ delayMs) =>
  real(callback, delayMs === MINUTE_MS ? 50 : delayMs);
globalThis.setTimeout = /** @type {typeof setTimeout} */ (Object.assign(hasty, real));

process.on('SIGUSR2', () => {
  real(() => {
    throw new Error('a bug of our own');
  }, 0);
});

const { serve } = await import(new URL('../../dist/serve.js', import.meta.url).href);
await serve();
