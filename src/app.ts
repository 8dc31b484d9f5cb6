import { adminFeature } from './admin/index.ts';
import { analyticsFeature } from './analytics/index.ts';
import { auditFeature } from './audit/index.ts';
import { bulkFeature } from './bulk/index.ts';
import { cloudApiFeature } from './channels/cloud-api/index.ts';
import { emailFeature } from './channels/email/index.ts';
import { httpProvidersFeature } from './channels/http/index.ts';
import { channelsFeature } from './channels/index.ts';
import { simulatorFeature } from './channels/simulator/index.ts';
import { whatsappFeature } from './channels/whatsapp/index.ts';
import { chatCommandsFeature } from './chat-commands/index.ts';
import { type Core, type CoreOptions, openCore } from './core.ts';
import { demoFeature } from './demo/index.ts';
import { eventStreamFeature } from './event-stream/index.ts';
import type { Feature } from './feature.ts';
import { type FirstRun, makeFirstRun } from './first-run.ts';
import { healthFeature } from './health/index.ts';
import { authenticator } from './keys/authentication.ts';
import { keysFeature } from './keys/index.ts';
import { maintenanceFeature } from './maintenance/index.ts';
import { messagesFeature } from './messages/index.ts';
import { metricsFeature } from './metrics/index.ts';
import { optOutsFeature } from './opt-outs/index.ts';
import { otpFeature } from './otp/index.ts';
import { projectsFeature } from './projects/index.ts';
import { runner } from './run.ts';
import { schedulerFeature } from './scheduler/index.ts';
import { statsFeature } from './stats/index.ts';
import { templatesFeature } from './templates/index.ts';
import { testNumbersFeature } from './test-numbers/index.ts';
import { v3Feature } from './v3/index.ts';
import { webhooksFeature } from './webhooks/index.ts';

export interface AppOptions extends CoreOptions {
  /** Features beside those of the product. */
  more?: readonly ((core: Core) => Feature)[];
}

export type App = Awaited<ReturnType<typeof buildApp>>;

/**
 * The whole application: read it from top to bottom to see its parts, and which of them need which. Server, command
 * line and tests all begin here. Nothing runs before `start`.
 */
export async function buildApp({ more = [], ...options }: AppOptions) {
  const { core, own, beginStop, close } = await openCore(options);
  const { config, database, clock } = core;
  const { mockMode } = config.bot;
  try {
    const keys = keysFeature(core);
    const admin = adminFeature(core);
    const optOuts = optOutsFeature(core);
    const messages = messagesFeature(core);
    const simulator = simulatorFeature(core, { messages, optOuts });
    const whatsapp = whatsappFeature(core, { messages });
    const projects = await projectsFeature(core, { keys, whatsapp });
    const cloudApi = cloudApiFeature(core);
    const email = await emailFeature(core);
    const providers = httpProvidersFeature(core);
    const real = [
      cloudApi.channel,
      whatsapp.isUsable ? whatsapp.channel : undefined,
      ...providers.channels,
      email.channel,
    ];
    const reachable = mockMode ? [simulator.channel] : real.filter((channel) => channel !== undefined);
    const channels = channelsFeature(core, { messages, optOuts, whatsapp, channels: reachable });
    const templates = templatesFeature(core);
    const testNumbers = testNumbersFeature(core);
    const otp = otpFeature(core, { messages, channels, optOuts, whatsapp, templates, testNumbers });
    const scheduler = schedulerFeature(core, { otp });
    const bulk = bulkFeature(core, { messages, channels, optOuts, templates, otp });
    const audit = await auditFeature(core, { keys, admin, messages, otp });
    const chatCommands = chatCommandsFeature(core, { otp, whatsapp, channels, optOuts });
    const v3 = v3Feature(core, { keys, whatsapp, audit });
    const eventStream = eventStreamFeature(core, { keys: keys.service, admin: admin.service });
    const stats = statsFeature(core, { messages, channels });
    const webhooks = webhooksFeature(core, { messages });
    const analytics = analyticsFeature(core, { messages, otp });
    const demo = demoFeature(core);
    const others = more.map((feature) => feature(core));

    // What the parts below do while they stop is chained by it.
    const ground = [own, audit, projects, keys, admin, optOuts, messages];
    const ways = [simulator, whatsapp, cloudApi, email, providers, channels];
    const sends = [templates, testNumbers, otp, scheduler, bulk];
    const readers = [chatCommands, v3, eventStream, stats, webhooks, analytics];
    const withData: Feature[] = [...ground, ...ways, ...sends, ...readers, demo, ...others];
    const maintenance = maintenanceFeature(core, {
      keeps: withData.flatMap(({ keeps = [] }) => keeps),
    });
    const health = healthFeature(core, { features: [...withData, maintenance] });
    const metrics = metricsFeature(core, { messages, channels, whatsapp, webhooks, features: withData });

    const { server, start, stop, listenForCommands } = await runner(core, {
      features: [...withData, maintenance, health, metrics],
      authentication: authenticator({
        keys: keys.service,
        admin: admin.service,
        defaultProject: projects.defaultId,
        audit: core.audit,
        publicUrl: core.publicUrl,
      }),
      projectNumberOf: projects.numberOf,
      beginStop,
    });

    return {
      config,
      clock,
      database,
      server,
      defaultProjectId: projects.defaultId,
      admin: admin.service,
      keys: keys.service,
      messages: messages.service,
      otp: otp.service,
      /** Undefined on PostgreSQL. */
      maintenance: maintenance.wodb,
      beginStop,
      listenForCommands,
      start,
      stop,

      /** The channels that reach a person, in the order in which sends take them. */
      channelsInUse: (): string[] => channels.inUse(),

      /** Why no channel reaches a person, and what to do; undefined when one does. */
      whyNoChannel: (): string | undefined => whatsapp.whyNotLinked(),

      /** Makes what the first run makes; undefined on every later one. */
      firstRun: (): Promise<FirstRun | undefined> =>
        makeFirstRun({
          database,
          admin: admin.service,
          keys: keys.service,
          templates: templates.service,
          clock,
          passwordIsConfigured: config.security.masterPassword !== undefined,
        }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}
