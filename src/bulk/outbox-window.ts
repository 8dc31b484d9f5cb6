/** The fewest and the most messages of one bulk job that are in the outbox at the same time. */
const LEAST = 20;
const MOST = 250;

/**
 * How many messages of each job the outbox may hold: as many as the channel takes between two looks, so that a fast one
 * never waits for more, and of a slow one hardly anything is left to stop when the job is paused or canceled.
 */
export class OutboxWindow {
  readonly #sizes = new Map<string, number>();

  /** The room left for a job of which `queued` messages are in the outbox. */
  room(bulkId: string, queued: number): number {
    const size = this.#sizes.get(bulkId) ?? LEAST;
    const next = queued <= size / 4 ? size * 2 : queued > size / 2 ? Math.ceil(size / 2) : size;
    const fitted = Math.min(MOST, Math.max(LEAST, next));
    this.#sizes.set(bulkId, fitted);
    return Math.max(0, fitted - queued);
  }

  /** Keeps nothing more of jobs that are not among these. */
  keepOnly(bulkIds: readonly string[]): void {
    for (const id of this.#sizes.keys()) if (!bulkIds.includes(id)) this.#sizes.delete(id);
  }
}
