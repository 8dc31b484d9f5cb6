import { describe, expect, test } from 'vitest';
import { simulatorFaults } from './faults.ts';

const WELL = { refuse: false, drop: false, notOnWhatsApp: false, delayMs: 0 };
const [ONE, OTHER] = ['+6281234500001', '+6281234500002'];

describe('the faults of the virtual phone', () => {
  test('are none to begin with', () => {
    expect(simulatorFaults().of(ONE)).toEqual(WELL);
  });

  test('of one number are of no other', () => {
    const faults = simulatorFaults();
    expect(faults.set(ONE, { drop: true })).toEqual({ ...WELL, drop: true });
    expect(faults.of(ONE)).toEqual({ ...WELL, drop: true });
    expect(faults.of(OTHER)).toEqual(WELL);
  });

  test('of all numbers hold for those that have none of their own', () => {
    const faults = simulatorFaults();
    faults.set(ONE, { delayMs: 50 });
    faults.set(undefined, { refuse: true });
    expect(faults.of(ONE)).toEqual({ ...WELL, delayMs: 50 });
    expect(faults.of(OTHER)).toEqual({ ...WELL, refuse: true });
  });

  test('replace those before, and nothing given means none', () => {
    const faults = simulatorFaults();
    faults.set(undefined, { refuse: true, delayMs: 10 });
    expect(faults.set(undefined, { notOnWhatsApp: true })).toEqual({ ...WELL, notOnWhatsApp: true });
    faults.set(ONE, { drop: true });
    faults.set(ONE, {});
    expect(faults.of(ONE)).toEqual({ ...WELL, notOnWhatsApp: true });
    faults.set(undefined, {});
    expect(faults.of(ONE)).toEqual(WELL);
  });
});
