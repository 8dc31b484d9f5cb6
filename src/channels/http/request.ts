import {
  type JsonTemplate,
  numberPlaceholder,
  PLACEHOLDER,
  type Placeholder,
  type ProviderDefinition,
} from '../../config/provider-schema.ts';
import type { OutboundRequest } from '../../lib/outbound-client.ts';

/** What the placeholders of a request stand for. */
export type Values = Readonly<Record<Placeholder, string>>;

/** The request that sends a message by a provider. */
export function requestOf(definition: ProviderDefinition, values: Values): OutboundRequest {
  const { method, auth, headers, json, form, query } = definition;
  const url = new URL(filledIn(definition.url, values, encodeURIComponent));
  for (const [name, value] of pairsOf(query ?? {}, values)) url.searchParams.append(name, value);
  const [type, body] =
    json !== undefined
      ? ['application/json', JSON.stringify(jsonOf(json, values))]
      : form !== undefined
        ? ['application/x-www-form-urlencoded', new URLSearchParams(pairsOf(form, values)).toString()]
        : [undefined, method === 'GET' ? undefined : ''];
  return {
    url,
    method,
    body,
    headers: {
      ...(type !== undefined && { 'content-type': type }),
      ...authorization(auth),
      ...Object.fromEntries(pairsOf(headers, values).map(([name, value]) => [name.toLowerCase(), value])),
    },
  };
}

function filledIn(template: string, values: Values, encoded = (text: string) => text): string {
  return template.replace(PLACEHOLDER, (_, name: Placeholder) => encoded(values[name]));
}

function pairsOf(templates: Readonly<Record<string, string>>, values: Values): [string, string][] {
  return Object.entries(templates).map(([name, template]) => [name, filledIn(template, values)]);
}

/** A JSON value with its texts filled in: never joined as text, so nothing in a message can change its form. */
function jsonOf(template: JsonTemplate, values: Values): unknown {
  if (typeof template === 'string') return filledIn(template, values);
  if (typeof template !== 'object' || template === null) return template;
  if (Array.isArray(template)) return template.map((entry) => jsonOf(entry, values));
  const entries = Object.entries(template as Record<string, JsonTemplate>);
  const [first] = entries;
  if (first?.[0] === '$number') return Number(values[numberPlaceholder(first[1] as string)!]);
  return Object.fromEntries(entries.map(([name, entry]) => [name, jsonOf(entry, values)]));
}

function authorization(auth: ProviderDefinition['auth']): Record<string, string> {
  if (auth === undefined) return {};
  if ('bearer' in auth) return { authorization: `Bearer ${auth.bearer}` };
  const { user, password } = auth.basic;
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}
