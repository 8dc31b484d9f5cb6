const KEPT_MAX = 20_000;

/** What was set last, by its key; what was set longest ago makes room. */
export class Recent<T> {
  readonly #entries = new Map<string, T>();

  get(key: string): T | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > KEPT_MAX) this.#entries.delete(oldest!);
  }
}
