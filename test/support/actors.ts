import type { Actor } from '../../src/database/acts.ts';

/** Somebody on this machine who acts. */
export const actorNamed = (name: string): Actor => ({ name, address: 'local' });
