const MB = 1024 * 1024;

const report = {
  status: 'unhealthy',
  timestamp: '2026-11-23T12:00:00.000Z',
  version: '4.0.0',
  uptime: 86_400,
  checks: {
    whatsapp: { status: 'healthy', connected: true },
    database: {
      status: 'unhealthy',
      engine: 'wodb',
      detail: 'database or disk is full',
      waitingWrites: 0,
    },
    memory: { status: 'healthy', residentBytes: 180 * MB, heapUsed: 60 * MB, heapTotal: 80 * MB },
    disk: { status: 'unhealthy', freeBytes: 0 },
  },
};

/** What probes answer with 503, by the id of the operation. It is the answer of 200 and no problem document. */
export const UNHEALTHY_EXAMPLES: Readonly<Record<string, { summary: string; value: unknown }>> = {
  getHealth: { summary: 'The disk is full.', value: report },
  getReadiness: { summary: 'The server takes no work now.', value: { status: 'unhealthy' } },
};
