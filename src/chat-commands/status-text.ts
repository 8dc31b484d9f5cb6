import type { Session } from '../channels/whatsapp/link/session.ts';
import type { HealthReport } from '../channels/whatsapp/send/sender-health.ts';
import { counted } from '../lib/counted.ts';

/** What `|status` answers: each linked number with its state and health, then the queue. */
export function statusText(
  sessions: readonly Session[],
  senders: { sender(sessionId: string): { health: HealthReport; leftToday: number } | undefined },
  inFlight: number,
): string {
  const lines = sessions.map(({ id, number, state }) => {
    const sender = senders.sender(id);
    const shown = number ? `…${number.slice(-4)}` : 'not linked';
    if (!sender || state !== 'open') return `${shown}: ${state}`;
    const { score, reasons } = sender.health;
    const why = reasons.length === 0 ? '' : ` (${reasons.join(' ')})`;
    return `${shown}: ${state}, health ${score}${why}, ${counted(sender.leftToday, 'message')} left today`;
  });
  if (lines.length === 0) lines.push('No number is linked.');
  return [...lines, `On their way: ${inFlight}`].join('\n');
}
