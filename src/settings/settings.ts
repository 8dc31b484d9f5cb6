import { type PhoneReader, phoneReader } from '../addresses/phone-reader.ts';
import type { ChannelName } from '../config/channel-names.ts';
import type { Config } from '../config/config.ts';
import type { Mailbox } from '../config/email.ts';
import type { PhoneLimits } from '../limits/phone-limits.ts';

/** What a code is like, how long it lives and how often it may be guessed. */
export interface CodeRules {
  /** Characters of a code when the request does not say. */
  length: number;
  expiryMinutes: number;
  maxExpiryMinutes: number;
  maxAttempts: number;
}

/** How far sends may spread over many phones; 0 is no limit. */
export interface SpreadRules {
  /** Unverified sends an hour for one client address. */
  perClientIp: number;
  /** New verifications in 10 minutes to numbers that differ only in their last four digits. */
  perPrefix: number;
}

/** How fast a linked number may send. */
export interface PacingRules {
  /** Messages a second, on average. */
  ratePerSecond: number;
  /** Messages that may leave at once after a quiet time. */
  burst: number;
  /** Messages a day (UTC). */
  dailyCap: number;
  /** Whether a number that was linked lately begins slowly. */
  warmUp: boolean;
}

/** How what is sent is written. */
export interface Style {
  /** The name of the product, as recipients know it. */
  readonly brand: string | undefined;
  /** Whether the text says that the code is nobody else's. */
  readonly warnsOfSharing: boolean;
  /** The host of the page into which browsers fill the code of an SMS; no such line where undefined. */
  readonly webOtpHost: string | undefined;
}

/** The rules of one project. The object stays the same until one of them is changed. */
export interface ProjectSettings {
  readonly code: CodeRules;
  readonly phoneLimits: PhoneLimits;
  readonly spread: SpreadRules;
  readonly pacing: PacingRules;
  /** How long a message may go without a report of its delivery before the next channel is used, in ms. */
  readonly channelWaitMs: number;
  /** The channels of a send that names none, in order; undefined for every one that is set up. */
  readonly channelOrder: readonly ChannelName[] | undefined;
  readonly style: Style;
  /** The sender of its mail; undefined where none is set. */
  readonly mailFrom: Mailbox | undefined;
  /** Days after which ended verifications and their messages are deleted; 0 keeps them for ever. */
  readonly verificationDays: number;
  /** Messages in a calendar month (UTC); undefined for any number. */
  readonly monthlyQuota: number | undefined;
  /** Requests a window of an API key that has no limit of its own. */
  readonly keyRequests: number;
  /** Reads the number of somebody whom codes may be sent to. */
  readonly readPhone: PhoneReader;
  /** Reads any number there is: the operator's own need not be among those that codes are sent to. */
  readonly readAnyPhone: PhoneReader;
}

/**
 * The rules of each project, by its number, as they are now. Asked for whenever one is used, so that a change holds from
 * the next request on.
 */
export interface Settings {
  of(projectId: number): ProjectSettings;
  /** The projects that have settings of their own; `of` answers the same for all others. */
  readonly projectsWithOwn: readonly number[];
}

/** The rules that a configuration says. */
export function rulesOf({ otp, limits, bot, channels, server, email, retention }: Config): ProjectSettings {
  return {
    code: otp,
    phoneLimits: {
      gapMs: otp.resendSeconds * 1000,
      per10Minutes: limits.phonePer10Minutes,
      perDay: limits.phonePerDay,
    },
    spread: { perClientIp: limits.sendsPerClientIp, perPrefix: limits.sendsPerPrefix },
    pacing: {
      ratePerSecond: bot.sendRate,
      burst: bot.sendBurst,
      dailyCap: bot.dailyCap,
      warmUp: bot.warmUp,
    },
    channelWaitMs: channels.waitSeconds * 1000,
    channelOrder: channels.order.length > 0 ? channels.order : undefined,
    style: { brand: server.brandName, warnsOfSharing: otp.warnsOfSharing, webOtpHost: otp.webOtpHost },
    mailFrom: email.from,
    verificationDays: retention.verificationDays,
    monthlyQuota: limits.monthlyQuota,
    keyRequests: limits.maxRequests,
    readPhone: phoneReader(otp),
    readAnyPhone: phoneReader({ ...otp, countriesAllowed: [], countriesDenied: [] }),
  };
}
