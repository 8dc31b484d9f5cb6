import type { Executor, Transaction } from '../database/database.ts';
import type { ChannelName } from './channel.ts';
import type { Content, MessageRef, TemplateUse } from './types.ts';

/** A feature whose messages the outbox carries, by the prefix of its ids: what it has to know and to do of them. */
export interface MessageOwner {
  /**
   * Makes sure that nobody else decides on this owner until the transaction ends. It comes before any message of it is
   * changed, as in the owner's own transactions, so that two that meet never wait for each other.
   */
  lock?(trx: Transaction, ownerId: string): Promise<void>;
  /** What messages say, by their ids; one that is left out cannot be read. */
  contentOf(executor: Executor, messages: readonly MessageToFill[]): Promise<ReadonlyMap<string, Content>>;
  /** A message failed for good; runs in the transaction in which it did. */
  failed?(trx: Transaction, message: MessageRef, reason: string): Promise<void>;
  /** Its recipient says that they did not ask for a message; runs in the transaction that notes it as read. */
  disowned?(trx: Transaction, ownerId: string): Promise<void>;
  /** A message arrives; runs in the same transaction, before the message is changed. */
  arrives?(trx: Transaction, ownerId: string): Promise<void>;
}

/** A message whose text is asked for. */
export interface MessageToFill {
  id: string;
  projectId: number;
  ownerId: string;
  channel: ChannelName;
  /** The channel that the virtual phone stands in for. */
  plays: ChannelName | undefined;
  /** What was stored with it: its text, or the values for its template; undefined where the owner makes the text. */
  content: string | undefined;
  template: TemplateUse | undefined;
  locale: string | undefined;
}
