import type { DeliveryDimension, Dimension } from './figures.ts';

/** Counts of one quarter-hour of a project. */
interface Counted {
  projectId: number;
  /** When the quarter-hour begins (Unix ms). */
  start: number;
}

export interface MessageCounts extends Counted {
  messages: number;
  successful: number;
  failed: number;
}

export interface ConversionCounts extends Counted {
  dimension: Dimension;
  key: string;
  sent: number;
  delivered: number;
  verified: number;
}

export interface DeliveryCounts extends Counted {
  dimension: DeliveryDimension;
  key: string;
  bin: number;
  messages: number;
  totalMs: number;
}

export interface PhoneLines extends Counted {
  phones: string[];
}

export type MessageCount = 'messages' | 'successful' | 'failed';
export type ConversionCount = 'sent' | 'delivered' | 'verified';

function between<Row extends Counted>(rows: ReadonlyMap<string, Row>, from: number, to: number) {
  return [...rows].filter(([, { start }]) => start >= from && start < to);
}

/** What events add up to, before it is written: each count once, in the order in which they came. */
export class Tally {
  readonly messages: Map<string, MessageCounts>;
  readonly conversion: Map<string, ConversionCounts>;
  readonly delivery: Map<string, DeliveryCounts>;
  readonly phones: Map<string, PhoneLines>;

  constructor(given?: Pick<Tally, 'messages' | 'conversion' | 'delivery' | 'phones'>) {
    this.messages = given?.messages ?? new Map();
    this.conversion = given?.conversion ?? new Map();
    this.delivery = given?.delivery ?? new Map();
    this.phones = given?.phones ?? new Map();
  }

  /** The counts from a time on (Unix ms) up to another. */
  between(from: number, to: number): Tally {
    return new Tally({
      messages: new Map(between(this.messages, from, to)),
      conversion: new Map(between(this.conversion, from, to)),
      delivery: new Map(between(this.delivery, from, to)),
      phones: new Map(between(this.phones, from, to)),
    });
  }

  addMessage({ projectId, start }: Counted, count: MessageCount, by = 1): void {
    const id = `${projectId} ${start}`;
    let row = this.messages.get(id);
    if (!row) {
      row = { projectId, start, messages: 0, successful: 0, failed: 0 };
      this.messages.set(id, row);
    }
    row[count] += by;
  }

  addConversion(
    { projectId, start }: Counted,
    dimension: Dimension,
    key: string,
    count: ConversionCount,
  ): void {
    const id = `${projectId} ${dimension} ${start} ${key}`;
    let row = this.conversion.get(id);
    if (!row) {
      row = { projectId, start, dimension, key, sent: 0, delivered: 0, verified: 0 };
      this.conversion.set(id, row);
    }
    row[count] += 1;
  }

  addDelivery(
    { projectId, start }: Counted,
    dimension: DeliveryDimension,
    key: string,
    { bin, ms }: { bin: number; ms: number },
  ): void {
    const id = `${projectId} ${dimension} ${start} ${key} ${bin}`;
    let row = this.delivery.get(id);
    if (!row) {
      row = { projectId, start, dimension, key, bin, messages: 0, totalMs: 0 };
      this.delivery.set(id, row);
    }
    row.messages += 1;
    row.totalMs += ms;
  }

  addPhone({ projectId, start }: Counted, phone: string): void {
    const id = `${projectId} ${start}`;
    const row = this.phones.get(id);
    if (row) row.phones.push(phone);
    else this.phones.set(id, { projectId, start, phones: [phone] });
  }
}
