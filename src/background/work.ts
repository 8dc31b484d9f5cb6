/** Something that runs from the start of the application to its end. */
export interface Work {
  start(): void | Promise<void>;
  /** The server takes requests from now on, and has an address; not called where it never does. */
  whenListening?(): void | Promise<void>;
  /** Resolves when nothing of it runs any more. Safe before `start` and twice. */
  stop(): Promise<void>;
}
