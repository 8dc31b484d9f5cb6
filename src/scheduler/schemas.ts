import { z } from 'zod';
import { iso, isoOrNull, pageQuery, projectId, time, timestamp } from '../http/schemas.ts';
import { sendBody, verificationId } from '../otp/schemas.ts';
import { DEFAULT_ATTEMPTS, SCHEDULE_STATUSES, type Schedule } from './types.ts';

const scheduledTime = time.meta({
  description: 'When to send: RFC 3339, with any offset; in the future, at most a year ahead.',
  example: '2026-11-24T09:00:00+07:00',
});
const attemptsAllowed = z.int().min(1).max(5);
const maxAttempts = attemptsAllowed.default(DEFAULT_ATTEMPTS).meta({
  description:
    'How often to try when a limit or a channel refuses: again after 30 s, 1, 2 and 4 minutes, not before the refusal allows it.',
  example: DEFAULT_ATTEMPTS,
});

/** The body of a send, with the time at which it is made. */
export const scheduleBody = sendBody.safeExtend({ scheduledTime, maxAttempts }).meta({
  title: 'ScheduleVerificationRequest',
  example: { phone: '+62 838 3494 6034', scheduledTime: '2026-11-24T09:00:00+07:00' },
});

type Bare<Field> = Field extends z.ZodDefault<infer Inner extends z.ZodType> ? Inner : Field;
type Optional<Shape extends z.ZodRawShape> = {
  [Name in keyof Shape]: z.ZodOptional<Bare<Shape[Name]> & z.core.SomeType>;
};

/** The fields of a body, none of which has to be given, or gets a value when it is not. */
function optional<Shape extends z.ZodRawShape>(shape: Shape): Optional<Shape> {
  const fields = Object.entries(shape).map(([name, field]) => {
    const bare = field instanceof z.ZodDefault ? field.unwrap() : field;
    return [name, z.optional(bare).meta((field as z.ZodType).meta() ?? {})];
  });
  return Object.fromEntries(fields) as Optional<Shape>;
}

/** What may be changed of a pending schedule. */
export const changeBody = z.strictObject(optional(scheduleBody.shape)).meta({
  title: 'ChangeScheduleRequest',
  example: { scheduledTime: '2026-11-24T10:00:00+07:00' },
});

export const idParams = z.object({
  id: z
    .string()
    .max(64)
    .meta({ description: 'The id of a schedule.', example: 'sch_01jd3x8zq2e6v9k5m7n0p4r8st' }),
});

export const listQuery = z.strictObject({
  ...pageQuery('sch'),
  status: z.enum(SCHEDULE_STATUSES).optional(),
  projectId,
});

const fields = {
  id: idParams.shape.id,
  phone: z
    .string()
    .optional()
    .meta({ description: 'E.164; absent where an e-mail address is proved.', example: '+6283834946034' }),
  email: z.string().optional().meta({ example: 'ayu@example.com' }),
  purpose: z.string().meta({ example: 'login' }),
  scheduledTime: timestamp,
  status: z.enum(SCHEDULE_STATUSES),
  attempts: z.int().min(0).meta({ description: 'Attempts to send it so far.', example: 0 }),
  maxAttempts: attemptsAllowed.meta({ example: DEFAULT_ATTEMPTS }),
  nextAttemptAt: timestamp.nullable().meta({ description: 'When it is sent; null once it has ended.' }),
  verificationId: verificationId
    .nullable()
    .meta({ description: 'The verification that was sent; null unless it has fired.' }),
  reason: z.string().nullable().meta({
    description: 'Why it expired or failed, or why the last attempt was refused.',
    example: null,
  }),
  createdAt: timestamp,
  endedAt: timestamp.nullable().meta({ description: 'When it was no longer pending.' }),
};
export const scheduleAnswer = z
  .object(fields)
  .meta({ title: 'Schedule', description: 'A send at a later time, in its current state.' });
export const scheduleDetails = z
  .object({
    ...fields,
    metadata: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({
        description: 'That of the send while it is pending; afterwards the verification has it.',
        example: { userId: 'u_42' },
      }),
  })
  .meta({ title: 'ScheduleDetails', description: 'A schedule with the metadata of its send.' });

/** A schedule as answers show it. */
export function toAnswer(schedule: Schedule) {
  const { id, phone, email, purpose, status, attempts, maxAttempts, verificationId, reason } = schedule;
  return {
    id,
    ...(phone !== null && { phone }),
    ...(email !== null && { email }),
    purpose,
    scheduledTime: iso(schedule.scheduledAt),
    status,
    attempts,
    maxAttempts,
    nextAttemptAt: isoOrNull(schedule.nextAttemptAt),
    verificationId,
    reason,
    createdAt: iso(schedule.createdAt),
    endedAt: isoOrNull(schedule.endedAt),
  };
}
