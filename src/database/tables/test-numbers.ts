/** The tables of `test-numbers/`. */
export interface TestNumbersTables {
  /**
   * Addresses that get a fixed code and no message.
   * @kept until they are removed
   */
  test_numbers: {
    /** `tst_…` */
    id: string;
    /** The number of the project it belongs to. */
    project_id: number;
    /** E.164, or an e-mail address. */
    address: string;
    /** The address folded to one identity, as verifications are found by it. */
    identity: string;
    /** AES-256-GCM of its code. */
    code: Buffer;
    /** The master key under which `code` was made. */
    key_version: number;
    /** What it is for, in the words of whoever added it. */
    note: string | null;
    /** When it was added. */
    created_at: number;
  };
}
