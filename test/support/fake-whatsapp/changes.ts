/** Lets tests wait for what happens in the fake server, without asking again and again. */
export interface Changes {
  /** Something has happened: everyone who waits looks again. */
  changed(): void;
  /** Resolves as soon as the condition holds; rejects after `withinMs` of real time, 10 seconds unless given. */
  until(condition: () => boolean, withinMs?: number): Promise<void>;
  /** Nothing will change any more: everyone who still waits is told so. */
  stop(): void;
}

export function makeChanges(): Changes {
  const waiting = new Set<{ look(): void; giveUp(): void }>();
  return {
    changed() {
      for (const waiter of waiting) waiter.look();
    },
    until(condition, withinMs = 10_000) {
      return new Promise((resolve, reject) => {
        const giveUp = () => {
          finish();
          reject(new Error(`The fake WhatsApp server never saw: ${condition}`));
        };
        const deadline = setTimeout(giveUp, withinMs);
        const waiter = {
          look() {
            if (!condition()) return;
            finish();
            resolve();
          },
          giveUp,
        };
        const finish = () => {
          clearTimeout(deadline);
          waiting.delete(waiter);
        };
        waiting.add(waiter);
        waiter.look();
      });
    },
    stop() {
      for (const waiter of waiting) waiter.giveUp();
    },
  };
}
