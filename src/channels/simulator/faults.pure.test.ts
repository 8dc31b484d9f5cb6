import { describe, expect, test } from 'vitest';
import { simulatorFaults } from './faults.ts';

const WELL = { refuse: false, drop: false, notOnWhatsApp: false, delayMs: 0 };
const [ONE, OTHER] = ['+6281234500001', '+6281234500002'];

describe('the faults of the virtual phone', () => {
  test('are none to begin with', () => {
    expect(simulatorFaults().of(ONE, 'whatsapp')).toEqual(WELL);
  });

  test('of one number are of no other', () => {
    const faults = simulatorFaults();
    expect(faults.set({ to: ONE }, { drop: true })).toEqual({ ...WELL, drop: true });
    expect(faults.of(ONE, 'whatsapp')).toEqual({ ...WELL, drop: true });
    expect(faults.of(OTHER, 'whatsapp')).toEqual(WELL);
  });

  test('of all numbers hold for those that have none of their own', () => {
    const faults = simulatorFaults();
    faults.set({ to: ONE }, { delayMs: 50 });
    faults.set({}, { refuse: true });
    expect(faults.of(ONE, 'whatsapp')).toEqual({ ...WELL, delayMs: 50 });
    expect(faults.of(OTHER, 'whatsapp')).toEqual({ ...WELL, refuse: true });
  });

  test('replace those before, and nothing given means none', () => {
    const faults = simulatorFaults();
    faults.set({}, { refuse: true, delayMs: 10 });
    expect(faults.set({}, { notOnWhatsApp: true })).toEqual({ ...WELL, notOnWhatsApp: true });
    faults.set({ to: ONE }, { drop: true });
    faults.set({ to: ONE }, {});
    expect(faults.of(ONE, 'whatsapp')).toEqual({ ...WELL, notOnWhatsApp: true });
    faults.set({}, {});
    expect(faults.of(ONE, 'whatsapp')).toEqual(WELL);
  });

  test('are none anywhere once none is set for all', () => {
    const faults = simulatorFaults();
    faults.set({ channel: 'whatsapp' }, { drop: true });
    faults.set({ to: ONE }, { refuse: true });
    faults.set({}, {});
    expect(faults.of(ONE, 'whatsapp')).toEqual(WELL);
  });

  test('of one channel are of no other, and those of a number on a channel come first', () => {
    const faults = simulatorFaults();
    faults.set({ channel: 'whatsapp' }, { drop: true });
    faults.set({ to: ONE, channel: 'whatsapp' }, { refuse: true });
    expect(faults.of(OTHER, 'whatsapp')).toEqual({ ...WELL, drop: true });
    expect(faults.of(OTHER, 'email')).toEqual(WELL);
    expect(faults.of(ONE, 'whatsapp')).toEqual({ ...WELL, refuse: true });
    expect(faults.of(ONE, 'sms')).toEqual(WELL);
  });
});
