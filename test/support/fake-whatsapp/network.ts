import type { Agenda } from './agenda.ts';
import type { PhoneParts } from './phone.ts';
import type { Registration } from './registration.ts';

/** What phones and linked devices know of the world around them. */
export interface Network {
  readonly agenda: Agenda;
  /** Tells tests that wait that something has happened. */
  changed(): void;
  /** The phone with this address, by number or by LID, whatever the device; undefined: not on WhatsApp. */
  phoneOf(jid: string): PhoneParts | undefined;
  /** The phone that is reached under this number in any spelling, as a contact would write it. */
  dialled(number: string): PhoneParts | undefined;
  /** Clients that are connected without being paired. */
  readonly registrations: Set<Registration>;
  /** A new id for a stanza of the server's or a phone's. */
  newId(): string;
}
