import { isIP } from 'node:net';
import { readDkimKey, readSmtpCertificates } from '../../config/email-files.ts';
import type { Core } from '../../core.ts';
import type { Feature } from '../../feature.ts';
import { bounceRoutes } from './bounce-routes.ts';
import type { EmailChannel } from './channel.ts';

/**
 * E-mail, where `SMTP_URL` is set.
 * @throws ConfigError that names a file which cannot be used
 */
export async function emailFeature({ config, clock, troubles, publicUrl, settings }: Core) {
  const { server, from, dkimDomain, dkimSelector, bounceToken } = config.email;
  const privateKey = readDkimKey(config.email);
  const isSigning = dkimDomain !== undefined && dkimSelector !== undefined && privateKey !== undefined;
  const host = publicUrl?.hostname;
  let channel: EmailChannel | undefined;
  if (server && from) {
    // Who sends no mail need not have the mail library in memory.
    const { EmailChannel } = await import('./channel.ts');
    channel = new EmailChannel({
      server,
      ca: readSmtpCertificates(config.email),
      senderOf(projectId) {
        const { mailFrom, style } = settings.of(projectId);
        return { from: mailFrom ?? from, brand: style.brand };
      },
      dkim: isSigning ? { domainName: dkimDomain, keySelector: dkimSelector, privateKey } : undefined,
      machineName: host === undefined || isIP(host) !== 0 || host.startsWith('[') ? undefined : host,
      clock,
      troubles,
    });
  }

  return {
    name: 'email',
    /** Undefined where no mail server is set. */
    channel,
    routes: (app) =>
      bounceRoutes(app, {
        token: bounceToken,
        bounced: async (name, reason) => channel?.bounced(name, reason),
      }),
  } satisfies Feature & { channel: EmailChannel | undefined };
}
