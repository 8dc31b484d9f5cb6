import type { Keyring } from '../database/keyring.ts';
import { seal } from '../lib/seal.ts';
import type { BulkRow, RecipientRow } from './repository.ts';
import type { BulkRequest, RecipientDetails } from './types.ts';

/** What all messages of a stored job have in common. */
export type BulkContent = Omit<BulkRequest, 'projectId' | 'metadata'>;

/** The sealed columns of bulk jobs and their recipients. */
export type BulkContents = ReturnType<typeof bulkContents>;

export function bulkContents(keyring: Keyring) {
  const sealed = (value: unknown, context: string) => ({
    content: seal(keyring.key('message-text'), JSON.stringify(value), context),
    key_version: keyring.version,
  });
  function opened<T>(value: Buffer | null, version: number, context: string): T | undefined {
    if (value === null) return undefined;
    const text = keyring.open('message-text', { value, version, context });
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }
  const placeOf = (bulkId: string, number: number) => `${bulkId}/${number}`;

  return {
    sealRequest: ({ projectId: _projectId, metadata: _metadata, ...content }: BulkRequest, bulkId: string) =>
      sealed(content satisfies BulkContent, bulkId),
    sealDetails: (details: RecipientDetails, bulkId: string, number: number) =>
      sealed(details, placeOf(bulkId, number)),
    /** Undefined where it does not open. */
    openRequest: ({ id, content, key_version }: BulkRow) => opened<BulkContent>(content, key_version, id),
    /** Undefined where it does not open. */
    openDetails: ({ bulk_id, number, content, key_version }: RecipientRow) =>
      opened<RecipientDetails>(content, key_version, placeOf(bulk_id, number)),
  };
}
