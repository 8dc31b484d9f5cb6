import type { SealedValues } from '../database/wodb/run-in-worker.ts';

/**
 * Every value that is stored sealed: for each the name that a finding gives it, the value, the version of its key and its
 * context. `wotp verify` opens all of them.
 */
export const SEALED_VALUES: readonly SealedValues[] = [
  {
    finding: 'Codes of verifications do not open',
    purpose: 'message-code',
    sql: 'select id, sealed_code, key_version, id from verifications where sealed_code is not null',
  },
  {
    finding: 'Texts of messages do not open',
    purpose: 'message-text',
    sql: 'select id, content, key_version, id from messages where content is not null',
  },
  {
    finding: 'Texts of bulk jobs do not open',
    purpose: 'message-text',
    sql: 'select id, content, key_version, id from bulks',
  },
  {
    finding: 'Data of recipients of bulk jobs do not open',
    purpose: 'message-text',
    sql: `select bulk_id || ' ' || number, content, key_version, bulk_id || '/' || number from bulk_recipients
          where content is not null`,
  },
  {
    finding: 'Requests of schedules do not open',
    purpose: 'schedule',
    sql: 'select id, sealed_request, key_version, id from schedules where sealed_request is not null',
  },
  {
    finding: 'Answers that are kept for an Idempotency-Key do not open',
    purpose: 'idempotency',
    sql: 'select scope, answer, key_version, scope from idempotency_keys',
  },
  {
    finding: 'Credentials or keys of WhatsApp sessions do not open',
    purpose: 'whatsapp',
    // Their names hold numbers, which are nobody's business here. One that is larger than any is as good as damaged.
    sql: `select session_id || ' ' || kind,
                 case when length(sealed) <= 8000000 then sealed else x'' end, key_version,
                 session_id || '/' || kind || '/' || key
          from whatsapp_auth`,
  },
  {
    finding: 'Secrets and headers of webhook endpoints do not open',
    purpose: 'webhook',
    sql: 'select id, sealed, key_version, id from webhook_endpoints',
  },
  {
    finding: 'Codes of test numbers do not open',
    purpose: 'test-code',
    sql: 'select id, code, key_version, id from test_numbers',
  },
  {
    finding: 'Proxies of WhatsApp sessions do not open',
    purpose: 'whatsapp',
    sql: `select id, sealed_proxy, key_version, id || '/proxy' from whatsapp_sessions
          where sealed_proxy is not null`,
  },
  {
    finding: 'Linking codes of WhatsApp sessions do not open',
    purpose: 'whatsapp',
    sql: `select id, sealed_codes, codes_key_version, id || '/codes' from whatsapp_sessions
          where sealed_codes is not null`,
  },
  {
    finding: 'Commands for WhatsApp sessions do not open',
    purpose: 'whatsapp',
    sql: `select id, sealed_command, key_version, id || '/command' from whatsapp_commands
          union all
          select id, sealed_answer, answer_key_version, id || '/answer' from whatsapp_commands
          where sealed_answer is not null`,
  },
];
