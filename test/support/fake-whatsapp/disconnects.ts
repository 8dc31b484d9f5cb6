import type { Connection } from './connection.ts';
import { type Stanza, stanza } from './stanza.ts';

/** Ends a session the way the server does for this status code; see `LinkedDevice.disconnect`. */
export function endSession(connection: Connection, code: number): void {
  end(connection, lastStanza(code));
}

/** Refuses a client that has just introduced itself. */
export function refuseLogin(connection: Connection, reason: number): void {
  end(connection, stanza('failure', { reason: String(reason), location: 'fake' }));
}

function lastStanza(code: number): Stanza {
  switch (code) {
    case 401:
      return stanza('stream:error', { code: '401' }, [stanza('conflict', { type: 'device_removed' })]);
    case 403:
    case 405:
      return stanza('failure', { reason: String(code), location: 'fake' });
    case 411:
      return stanza('ib', {}, [stanza('downgrade_webclient')]);
    case 428:
      return stanza('xmlstreamend');
    case 440:
      return stanza('stream:error', {}, [stanza('conflict', { type: 'replaced' })]);
    default:
      return stanza('stream:error', { code: String(code) });
  }
}

function end(connection: Connection, last: Stanza): void {
  connection.send(last);
  connection.close();
}
