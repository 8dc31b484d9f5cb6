import type { Command } from 'commander';
import type { ApiClient } from '../cli/api-client.ts';
import { command, print, withApi } from '../cli/command.ts';
import { showProgress } from '../cli/progress.ts';
import { counted } from '../lib/counted.ts';

interface Step {
  rebuilt: string[];
  left: string[];
  next: string | null;
  done: number;
  total: number;
}

interface Rebuilt {
  rebuilt: string[];
  left: string[];
}

/** `analytics rebuild`. */
export function analyticsCommand(): Command {
  const analytics = command(
    'analytics',
    'Recount the figures of analytics',
    'wotp analytics rebuild',
    'wotp analytics rebuild --json',
  );
  analytics.addCommand(
    command(
      'rebuild',
      'Recount the days whose events are stored; leave older ones',
      'wotp analytics rebuild',
      'wotp analytics rebuild --json',
    )
      .option('--json', 'print one line of JSON')
      .action(({ json }: { json?: boolean }) =>
        withApi(async (api) => {
          const rebuilt = await rebuild(api, json);
          print(json, rebuilt, inWords(rebuilt));
        }),
      ),
  );
  return analytics;
}

async function rebuild(api: ApiClient, json: boolean | undefined): Promise<Rebuilt> {
  const all: Rebuilt = { rebuilt: [], left: [] };
  const progress = showProgress('recounting', json);
  try {
    for (let from: string | null | undefined; from !== null; ) {
      const body = from === undefined ? {} : { from };
      const { data }: { data: Step } = await api.call('POST', '/api/v1/analytics/rebuild', body);
      all.rebuilt.push(...data.rebuilt);
      all.left.push(...data.left);
      progress.reach(data.total === 0 ? 100 : (100 * data.done) / data.total);
      from = data.next;
    }
    return all;
  } finally {
    progress.end();
  }
}

function inWords({ rebuilt, left }: Rebuilt): string {
  const done =
    rebuilt.length === 0
      ? 'No day can be recounted: no day has all of its events.'
      : `Recounted ${counted(rebuilt.length, 'day')}, ${rebuilt[0]} to ${rebuilt.at(-1)}. Older days were left as they are.`;
  if (left.length === 0) return done;
  return `${done}\nLeft ${counted(left.length, 'day')} as they are, since verifications of them are no longer stored: ${left.join(', ')}.`;
}
