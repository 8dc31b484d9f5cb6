import { type Stanza, stanza } from './stanza.ts';

/** What WhatsApp holds against an account, as it tells it itself. */
export interface Restrictions {
  /** No new chats may be started. */
  reachoutTimelock?: {
    /** Unix seconds; absent: WhatsApp does not say. */
    endsAt?: number;
    /** Such as `BIZ_QUALITY` or `WEB_COMPANION_ONLY`. */
    type: string;
  };
  /** How many new chats may be started in a cycle. */
  newChats?: { quota: number; used: number; status: 'NONE' | 'FIRST_WARNING' | 'SECOND_WARNING' | 'CAPPED' };
}

const REACHOUT_TIMELOCK = '23983697327930364';
const MESSAGE_CAPPING = '24503548349331633';

/** Answers the two queries about restrictions; undefined for other queries of that kind. */
export function restrictionAnswer(restrictions: Restrictions, query: Stanza): Stanza[] | undefined {
  if (query.attrs.query_id === REACHOUT_TIMELOCK) {
    return result({ xwa2_fetch_account_reachout_timelock: timelockOf(restrictions) });
  }
  if (query.attrs.query_id === MESSAGE_CAPPING) {
    return result({ xwa2_message_capping_info: cappingOf(restrictions) });
  }
  return undefined;
}

/** The notifications by which the server tells of restrictions on its own account. */
export function restrictionNotices(restrictions: Restrictions): Stanza[] {
  return [
    update('NotificationUserReachoutTimelockUpdate', {
      xwa2_notify_account_reachout_timelock: timelockOf(restrictions),
    }),
    update('MessageCappingInfoNotification', {
      xwa2_notify_new_chat_messages_capping_info_update: cappingOf(restrictions),
    }),
  ];
}

function timelockOf({ reachoutTimelock }: Restrictions) {
  if (!reachoutTimelock) return { is_active: false, time_enforcement_ends: '0', enforcement_type: 'DEFAULT' };
  return {
    is_active: true,
    time_enforcement_ends: reachoutTimelock.endsAt && String(reachoutTimelock.endsAt),
    enforcement_type: reachoutTimelock.type,
  };
}

function cappingOf({ newChats }: Restrictions) {
  return {
    total_quota: newChats?.quota ?? 1000,
    used_quota: newChats?.used ?? 0,
    capping_status: newChats?.status ?? 'NONE',
    ote_status: 'NOT_ELIGIBLE',
    mv_status: 'NOT_ELIGIBLE',
  };
}

function result(data: object): Stanza[] {
  return [stanza('result', {}, Buffer.from(JSON.stringify({ data })))];
}

function update(operation: string, data: object): Stanza {
  return stanza('update', { op_name: operation }, Buffer.from(JSON.stringify({ data })));
}
