import type { AdminTables } from './tables/admin.ts';
import type { AnalyticsTables } from './tables/analytics.ts';
import type { AuditTables } from './tables/audit.ts';
import type { BulkTables } from './tables/bulk.ts';
import type { CoreTables } from './tables/core.ts';
import type { EventsTables } from './tables/events.ts';
import type { KeysTables } from './tables/keys.ts';
import type { MessagesTables } from './tables/messages.ts';
import type { OptOutsTables } from './tables/opt-outs.ts';
import type { OtpTables } from './tables/otp.ts';
import type { ProjectsTables } from './tables/projects.ts';
import type { SchedulerTables } from './tables/scheduler.ts';
import type { SettingsTables } from './tables/settings.ts';
import type { SimulatorTables } from './tables/simulator.ts';
import type { TemplatesTables } from './tables/templates.ts';
import type { TestNumbersTables } from './tables/test-numbers.ts';
import type { WebhooksTables } from './tables/webhooks.ts';
import type { WhatsappTables } from './tables/whatsapp.ts';

/**
 * The tables as the queries see them, a file a feature; `migrations/` makes them, with the same names on every engine.
 * Times are Unix milliseconds, ids are TypeIDs, JSON is kept as text. Flags and enums are text or 0/1.
 *
 * Every table and column says in its file what it is for; `docs/DATABASE.md` is made from it. A table says `@kept` how
 * long its rows stay, and `@index` with an index' name why there is one.
 */
export interface Schema
  extends ProjectsTables,
    SettingsTables,
    KeysTables,
    CoreTables,
    AdminTables,
    OtpTables,
    MessagesTables,
    EventsTables,
    AuditTables,
    SimulatorTables,
    SchedulerTables,
    OptOutsTables,
    TemplatesTables,
    TestNumbersTables,
    WebhooksTables,
    WhatsappTables,
    BulkTables,
    AnalyticsTables {}
