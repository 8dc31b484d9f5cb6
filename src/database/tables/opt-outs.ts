/** The tables of `opt-outs/`. */
export interface OptOutsTables {
  /**
   * Numbers that asked for no more messages.
   * @kept until an administrator removes them
   */
  suppressed_numbers: {
    /** The number of the project they want nothing of. */
    project_id: number;
    /** The phone folded to one identity. */
    identity: string;
    /** E.164, as it wrote to us. */
    phone: string;
    /** When it asked. */
    created_at: number;
    /** What the operator has noted about it. */
    note: string | null;
  };
}
