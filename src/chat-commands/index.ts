import type { ChannelsFeature } from '../channels/index.ts';
import { listenForInbound } from '../channels/whatsapp/inbound/inbound.ts';
import type { WhatsAppFeature } from '../channels/whatsapp/index.ts';
import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import type { OptOutsFeature } from '../opt-outs/index.ts';
import type { OtpFeature } from '../otp/index.ts';
import { botCommands } from './commands.ts';
import { statusText } from './status-text.ts';

/** What people write to a linked number: STOP and START of everybody, commands of the operator's own numbers. */
export function chatCommandsFeature(
  { config, database, events, clock, log, troubles }: Core,
  others: { otp: OtpFeature; whatsapp: WhatsAppFeature; channels: ChannelsFeature; optOuts: OptOutsFeature },
): Feature {
  const { otp, whatsapp, channels, optOuts } = others;
  const { sessions, directory, channel } = whatsapp;
  if (!config.bot.mockMode) {
    listenForInbound({
      sessions,
      suppression: optOuts.list,
      directory,
      runCommand: botCommands({
        otp: otp.service,
        database,
        events,
        clock,
        log,
        statusText: () => statusText(sessions.all(), channel, channels.dispatcher.inFlight),
      }).run,
      adminNumbers: config.bot.adminNumbers,
      database,
      events,
      clock,
      troubles,
    });
  }
  return { name: 'chat-commands' };
}
