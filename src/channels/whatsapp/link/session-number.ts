import { jidDecode } from 'baileys';
import { ConflictError } from '../../../errors/errors.ts';
import type { AuthStore } from './auth-store.ts';
import type { SessionRecord } from './session-record.ts';

/** Which number a session may be: one session has one number, and a number one session. */
export class SessionNumber {
  readonly #record: SessionRecord;
  readonly #auth: AuthStore;
  /** The number for which a pairing code was asked in the present linking, E.164. */
  #askedFor: string | undefined;
  /** The number with which the operator has said to go on, E.164. */
  #confirmed: string | undefined;

  constructor(record: SessionRecord, auth: AuthStore) {
    this.#record = record;
    this.#auth = auth;
  }

  /** A new linking begins; `phone` (E.164) is expected where a pairing code is for it. */
  expect(phone?: string): void {
    this.#askedFor = phone;
  }

  /** The operator goes on with the number that is linked, whichever was expected. */
  confirm(): void {
    this.#confirmed = phoneOf(this.#auth.creds.me?.id) ?? undefined;
  }

  /**
   * Makes the number that is linked the session's. Why it cannot be, in words for the operator: it is not the one that was
   * expected, and nobody has said to go on with it; or another session has it, so that two would send what one may.
   */
  async problem(): Promise<string | undefined> {
    const phone = phoneOf(this.#auth.creds.me?.id);
    if (phone === null) return undefined;
    const expected = this.#askedFor ?? this.#record.stored.phone ?? phone;
    if (phone !== expected && phone !== this.#confirmed) {
      const was = this.#askedFor ? `The pairing code was for ${expected}` : `This session was ${expected}`;
      return `${was}, and ${phone} was linked. Restart the session to go on with ${phone}, or log it out and link ${expected}.`;
    }
    await this.#record.settled();
    const holder = await this.#record.claim(phone);
    if (holder !== undefined) {
      return `${heldElsewhere(phone, holder)} Log this session out; or log the other one out, and restart this one.`;
    }
    this.#askedFor = undefined;
    return undefined;
  }

  /**
   * Claims the number of credentials that are to be imported.
   * @param jid the credentials' own address
   * @throws ConflictError when the session was another number's, or another session has this one
   */
  async claim(jid: string | undefined): Promise<void> {
    const phone = phoneOf(jid);
    const { phone: was } = this.#record.stored;
    if (phone === null) return;
    if (was !== null && was !== phone) {
      throw new ConflictError(
        `This session was ${was}, and these are the credentials of ${phone}. Import them into another session.`,
      );
    }
    const holder = await this.#record.claim(phone);
    if (holder !== undefined) throw new ConflictError(heldElsewhere(phone, holder));
  }
}

function heldElsewhere(phone: string, holder: string): string {
  return `The number ${phone} is linked in the session ${holder} already; two links of one number would send twice what it may.`;
}

/** The number of an address by number, in E.164. */
function phoneOf(jid: string | undefined): string | null {
  const user = jidDecode(jid)?.user;
  return user === undefined ? null : `+${user}`;
}
