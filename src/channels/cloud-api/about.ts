import { ExpectedError } from '../../lib/expected-error.ts';
import { OutboundError } from '../../lib/outbound-client.ts';
import type { GraphApi, SenderFacts } from './graph.ts';

/** Asks Meta for the quality and the limits of each number, and for the state of the template in each language. */
export function aboutSenders(
  deps: {
    graph: GraphApi;
    senders: readonly string[];
    template: { name: string };
    /** The business account that has the template; without it the states of that are not known. */
    accountId: string | undefined;
  },
  signal: AbortSignal,
): Promise<string[]> {
  const { graph, senders, template, accountId } = deps;
  const asked = senders.map((id) =>
    told(`Number ${id}`, signal, async () => factsOf(await graph.sender(id, signal))),
  );
  if (accountId !== undefined) {
    const states = async () => {
      const known = await graph.templateStates(accountId, template.name, signal);
      return known.map(({ language, state }) => `${language} ${state}`).join(', ') || 'not found';
    };
    asked.push(told(`Template ${template.name}`, signal, states));
  }
  return Promise.all(asked);
}

function factsOf(facts: SenderFacts): string {
  const {
    display_phone_number: number,
    verified_name: name,
    quality_rating: quality,
    whatsapp_business_manager_messaging_limit: limit,
    throughput,
  } = facts;
  const known = [
    number,
    name,
    quality && `quality ${quality}`,
    limit && `limit ${limit}`,
    throughput?.level && `throughput ${throughput.level}`,
  ].filter(Boolean);
  return known.join(', ') || 'Meta tells nothing of it';
}

/** A line of what is said of something, or of why nothing is. */
async function told(what: string, signal: AbortSignal, ask: () => Promise<string>): Promise<string> {
  try {
    return `${what}: ${await ask()}.`;
  } catch (error) {
    if (signal.aborted) return `${what}: Meta did not answer in time.`;
    if (!(error instanceof ExpectedError || error instanceof OutboundError)) throw error;
    return `${what}: Meta did not tell (${error.message}).`;
  }
}
