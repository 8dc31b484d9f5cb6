import { z } from 'zod';
import { problems, projectId, success } from '../http/schemas.ts';
import { DIMENSIONS } from './figures.ts';
import { isMoment } from './period.ts';
import { isTimeZone } from './zone.ts';

const digits = (text: unknown) => (typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : text);

const moment = (description: string, example: string) =>
  z
    .string()
    .max(40)
    .refine(isMoment, 'must be a date such as 2026-11-23, or a time in RFC 3339')
    .optional()
    .meta({ description, example });

const BEGINNING =
  'A date (that day in `timezone`) or a time in RFC 3339, rounded down to a quarter-hour. Left out: 30 days with the last one.';
const END = 'A date (with all of that day) or a time, rounded up to a quarter-hour. Left out: now.';

const common = {
  timezone: z
    .string()
    .max(64)
    .refine(isTimeZone, 'an IANA time zone, such as Asia/Jakarta')
    .default('UTC')
    .meta({
      description: 'The time zone (IANA) of days and hours.',
      example: 'Asia/Jakarta',
    }),
  format: z.enum(['json', 'csv']).default('json').meta({
    description:
      '`csv` for a file (RFC 4180). A cell that a spreadsheet could take for a formula begins with an apostrophe.',
    example: 'json',
  }),
  projectId,
};

/** As v3 called them. */
const dates = { startDate: moment(BEGINNING, '2026-11-01'), endDate: moment(END, '2026-11-30') };

const phonesMax = (fallback: number) =>
  z
    .preprocess(digits, z.int().min(1).max(100))
    .default(fallback)
    .meta({ description: 'How many to return at most.', example: fallback });

export const dashboardQuery = z.strictObject({
  days: z
    .preprocess(digits, z.int().min(1).max(366))
    .default(7)
    .meta({ description: 'How many days, with today.', example: 7 }),
  ...common,
});
export const datesQuery = z.strictObject({ ...dates, ...common });
export const topPhonesQuery = z.strictObject({ limit: phonesMax(10), ...dates, ...common });
export const conversionQuery = z.strictObject({
  by: z.enum(DIMENSIONS).default('country').meta({
    description:
      'What the rows are: countries (ISO 3166-1 alpha-2), the first 6 digits of the number, channels, templates, purposes, or the hours of the day in `timezone`.',
    example: 'country',
  }),
  from: moment(BEGINNING, '2026-11-01'),
  to: moment(END, '2026-11-30'),
  ...common,
});

const count = (description: string, example: number) => z.int().meta({ description, example });
const millis = (description: string, example: number) =>
  z
    .int()
    .nullable()
    .meta({ description: `${description}, in ms; null where nothing was measured.`, example });

export const successRate = z
  .object({
    total: count('Messages that were accepted.', 1050),
    successful: count('Messages that a provider acknowledged and that did not fail later.', 1020),
    failed: count('Messages that failed, or whose code expired before they were sent.', 30),
    successRate: z.string().meta({
      description: '`successful` of `total` in percent, with two decimals; `0.00` of none.',
      example: '97.14',
    }),
  })
  .meta({ title: 'SuccessRate', description: 'What became of the messages of a period.' });

const topPhone = z
  .object({
    phone: z.string().meta({
      description: 'E.164; masked for keys without `logs:read`.',
      example: '+62838•••••034',
    }),
    count: count('Messages to it that a provider acknowledged.', 4),
  })
  .meta({ title: 'TopPhone', description: 'A phone number and its messages.' });

export const topPhones = z.array(topPhone);

export const dashboard = z
  .object({
    dailyStats: z.array(
      z.object({
        date: z.iso.date().meta({ description: 'The day in `timezone`.', example: '2026-11-23' }),
        total: count('Messages that were accepted on it.', 150),
        successful: count('As in `successRate`.', 147),
        failed: count('As in `successRate`.', 3),
      }),
    ),
    topPhones,
    successRate,
    averageDeliveryTime: z.string().meta({
      description:
        'The mean time from the acceptance of a message to the receipt of its delivery, in seconds; `0.00s` where there is none.',
      example: '2.34s',
    }),
    period: z.string().meta({ description: 'The days that were asked for.', example: '7 days' }),
    timezone: z.string().meta({ description: 'The time zone of the days.', example: 'UTC' }),
  })
  .meta({ title: 'AnalyticsDashboard', description: 'A project in the last days.' });

const times = {
  messages: count('Messages with a receipt of their delivery.', 980),
  averageMs: millis('The mean', 2340),
  p50Ms: millis('Half of them took at most this long', 1722),
  p90Ms: millis('90 % took at most this long', 4096),
  p95Ms: millis('95 % took at most this long', 5793),
  p99Ms: millis('99 % took at most this long', 13_777),
};
const timesOf = (what: string, example: string) =>
  z.array(z.object({ key: z.string().meta({ description: what, example }), ...times }));

export const deliveryTime = z
  .object({
    averageDeliveryTime: z.string().meta({ description: 'The mean in seconds, as in v3.', example: '2.34s' }),
    ...times,
    byChannel: timesOf('The channel.', 'whatsapp'),
    byCountry: timesOf('The country (ISO 3166-1 alpha-2); `(none)` for e-mail.', 'ID'),
  })
  .meta({
    title: 'DeliveryTime',
    description:
      'How long messages took from their acceptance to the receipt of their delivery. Percentiles are at most 9 % too high, never too low.',
  });

export const conversion = z
  .object({
    rows: z.array(
      z.object({
        key: z.string().meta({
          description:
            'The value; `(none)` where there is none or it is no longer known, `(other)` for what comes after the 200 prefixes, 50 templates or 50 purposes that come first on a day (UTC).',
          example: 'ID',
        }),
        sent: count('Verifications of which a provider acknowledged a message.', 1000),
        delivered: count('Verifications of which a message arrived.', 980),
        verified: count('Verifications whose code was entered.', 870),
        conversion: z.number().nullable().meta({
          description: '`verified` of `sent`, 0 to 1, with four decimals; null where none was sent.',
          example: 0.87,
        }),
      }),
    ),
  })
  .meta({
    title: 'ConversionTable',
    description: 'How many verifications succeeded, by a property of them.',
  });

export const rebuildBody = z
  .strictObject({
    from: z.iso.date().optional().meta({
      description: 'The `next` of the step before; the first day that can be recounted unless given.',
      example: '2026-11-23',
    }),
    projectId,
  })
  .meta({ title: 'RebuildFrom' })
  .nullish();

const day = z.iso.date().meta({ example: '2026-11-23' });
export const rebuildStep = z
  .object({
    rebuilt: z.array(day).meta({ description: 'Days (UTC) that were recounted.' }),
    left: z.array(day).meta({
      description: 'Days that were left as they are: verifications or messages of them are no longer stored.',
    }),
    next: day.nullable().meta({ description: 'Give it as `from` of the next step; null after the last.' }),
    done: count('Days that all steps up to this one have been through.', 7),
    total: count('Days from the first one that can be recounted to today.', 30),
  })
  .meta({ title: 'RebuildStep', description: 'What this step did, and how far the work is.' });

/** An answer as JSON or as a file. */
export const answers = (schema: z.ZodType) => ({
  200: {
    description: 'The figures.',
    content: { 'application/json': { schema: success(schema) }, 'text/csv': { schema: z.string() } },
  },
  ...problems(),
});
