import type { PhoneLimits } from '../limits/phone-limits.ts';
import type { ChannelName } from '../messages/channel.ts';
import type { Settings } from '../settings/settings.ts';
import type { DestinationRow } from './repository.ts';

/** Why the message of a test number is not sent, as its timeline says it. */
export const UNSENT = 'test number: no message is sent';

/** Nothing leaves by it: the virtual phone is named because it costs nothing and nobody can be reached by it. */
export const TEST_ROUTE: ChannelName[] = ['simulator'];
export const TEST_PLACE = { channel: 'simulator', route: JSON.stringify(TEST_ROUTE), step: 0, move_at: null };

/** Tests send often, and bother nobody; guesses count as everywhere. */
const TEST_LIMITS: PhoneLimits = { gapMs: 0, per10Minutes: 100, perDay: 2_000 };

/** The limits of messages that hold for a verification: those of its project, or those of test numbers. */
export function phoneLimitsOf(
  settings: Settings,
  { project_id, is_test }: Pick<DestinationRow, 'project_id' | 'is_test'>,
): PhoneLimits {
  return is_test ? TEST_LIMITS : settings.of(project_id).phoneLimits;
}
