const METHODS = ['log', 'info', 'warn', 'error'] as const;
/** The frame of a call that comes out of libsignal. */
const LIBSIGNAL = /[\\/]node_modules[\\/]libsignal[\\/]/;

let users = 0;
let restore = () => {};

/**
 * Keeps libsignal off the console, where it writes session records with their private keys. What others write passes.
 * Returns the function that ends it; while several have asked for it, it lasts until the last one ends it.
 */
export function quietLibsignal(): () => void {
  if (users === 0) restore = silence();
  users += 1;
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    users -= 1;
    if (users === 0) restore();
  };
}

function silence(): () => void {
  const originals = METHODS.map((method) => [method, console[method]] as const);
  for (const [method, write] of originals) {
    console[method] = (...given: unknown[]) => {
      const caller = new Error().stack?.split('\n')[2] ?? '';
      if (!LIBSIGNAL.test(caller)) write(...given);
    };
  }
  return () => {
    for (const [method, write] of originals) console[method] = write;
  };
}
