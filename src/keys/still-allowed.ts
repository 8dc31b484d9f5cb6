import type { AdminService } from '../admin/service.ts';
import type { Caller } from '../http/caller.ts';
import { grants } from '../http/permissions.ts';
import type { KeyService } from './service.ts';

/** Finds out which of the callers that once could read events still can: their key or their page's session is good. */
export function callerCheck({ keys, admin }: { keys: KeyService; admin: AdminService }) {
  return async (callers: readonly Caller[]): Promise<ReadonlySet<Caller>> => {
    const ids = new Set(callers.flatMap(({ key }) => (key ? [key.id] : [])));
    const tokens = new Set(callers.flatMap(({ sessionToken }) => sessionToken ?? []));
    const held = await keys.grantsOf([...ids]);
    const open = new Set<string>();
    for (const token of tokens) if (await admin.sessions.isOpen(token)) open.add(token);
    return new Set(
      callers.filter(({ key, sessionToken }) => {
        if (key) return grants(held.get(key.id) ?? [], 'logs:read');
        return sessionToken === undefined || open.has(sessionToken);
      }),
    );
  };
}
