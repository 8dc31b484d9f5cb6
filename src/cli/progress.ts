import { Presets, SingleBar } from 'cli-progress';

/** Shows how far a long piece of work is. */
export interface Progress {
  /** So much of the total is done. */
  reach(done: number): void;
  /** Takes the bar away. Safe to call twice. */
  end(): void;
}

/** A bar on standard error for a person who watches: not with `--json`, and nothing where there is no terminal. */
export function showProgress(label: string, total: number, asJson: boolean | undefined): Progress {
  if (asJson) return { reach() {}, end() {} };
  const bar = new SingleBar(
    { format: `${label} {bar} {percentage} %`, stream: process.stderr, clearOnComplete: true },
    Presets.shades_classic,
  );
  bar.start(Math.max(1, total), 0);
  return { reach: (done) => bar.update(done), end: () => bar.stop() };
}
