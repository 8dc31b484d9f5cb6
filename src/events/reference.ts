import { z } from 'zod';
import { EVENTS, type EventKind } from './catalogue.ts';
import { EVENT_DATA, exampleData, PROMISED_TYPES } from './data.ts';
import { eventPayload } from './payload.ts';

const EXAMPLE_TIME = Date.UTC(2026, 10, 23, 12, 0, 0);

/** The body of a webhook with this type, as an example. */
export function examplePayload(type: string): ReturnType<typeof eventPayload> {
  const base = { cursor: '', projectId: 1, at: EXAMPLE_TIME, subject: null, messageId: null, data: null };
  return { ...eventPayload({ ...base, type }), data: exampleData(type) };
}

/** The text of `docs/EVENTS.md`: from the catalogue and the schemas of the fields. */
export function eventsPage(): string {
  const kinds = Object.entries<EventKind>(EVENTS).filter(([type]) => !type.startsWith('v3.'));
  const recorded = kinds.filter(([type]) => !PROMISED_TYPES.includes(type));
  return `# Events

Everything that happens is recorded as an event, in the transaction of the change that it reports. This page is generated
from \`src/events/\` by \`npm run docs\`.

- **Webhooks** send the events below to your server: [WEBHOOKS.md](WEBHOOKS.md). Their fields are a promise: a type keeps
  those it has, and may get more. Ignore what you do not know.
- No event contains a code. Times are ISO 8601 in UTC.
- \`event\` repeats \`type\`, under the name of v3.

${PROMISED_TYPES.map(section).join('\n')}
## Recorded only

These events are in the audit log and are not sent.

| event | when | seen by |
|---|---|---|
${recorded.map(([type, { meaning, scope }]) => `| \`${type}\` | ${meaning} | ${scope === 'installation' ? 'the administrator' : 'its project'} |`).join('\n')}
`;
}

function section(type: string): string {
  const { properties = {}, required = [] } = z.toJSONSchema(EVENT_DATA[type]!);
  const rows = Object.entries(properties).map(([name, schema]) => {
    const { description = '' } = schema as { description?: string };
    return `| \`${name}\` | ${required.includes(name) ? description : `${description} Not always there.`} |`;
  });
  const { meaning } = EVENTS[type as keyof typeof EVENTS];
  return `## ${type}

${meaning}

| field of \`data\` | |
|---|---|
${rows.join('\n')}

\`\`\`json
${JSON.stringify(examplePayload(type), undefined, 2)}
\`\`\`
`;
}
