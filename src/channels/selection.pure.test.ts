import { describe, expect, test } from 'vitest';
import { ScriptedChannel } from '../../test/support/scripted-channel.ts';
import { CHANNEL_NAMES, type ChannelName } from './channel.ts';
import { channelSelection } from './selection.ts';

const LINKED = 'prj_linked';
const ABSENT = '+4915100000009';

function withChannels(names: readonly ChannelName[], mockMode: boolean) {
  const channels = names.map((name) => new ScriptedChannel(name));
  const select = channelSelection(channels, mockMode, {
    isLinked: (projectId) => projectId === LINKED,
    isAbsent: (phone) => phone === ABSENT,
  });
  return (requested: 'auto' | ChannelName, projectId = LINKED, phone = '+4915100000001') =>
    select(requested, projectId, phone);
}

describe('the channel of a send', () => {
  test('in mock mode is the virtual phone wherever it would be WhatsApp', () => {
    const select = withChannels(['simulator', 'sms'], true);
    expect((['auto', 'whatsapp', 'simulator', 'sms'] as const).map((name) => select(name))).toEqual([
      'simulator',
      'simulator',
      'simulator',
      'sms',
    ]);
  });

  test('out of it is WhatsApp, or the one that is named', () => {
    const select = withChannels(['whatsapp', 'sms'], false);
    expect((['auto', 'whatsapp', 'sms'] as const).map((name) => select(name))).toEqual([
      'whatsapp',
      'whatsapp',
      'sms',
    ]);
  });

  test('out of mock mode is never the virtual phone, whatever is set up', () => {
    for (const channels of [[], ['simulator'], CHANNEL_NAMES] as ChannelName[][]) {
      expect(() => withChannels(channels, false)('simulator')).toThrow(
        expect.objectContaining({ code: 'VALIDATION_ERROR' }),
      );
    }
    expect(() => withChannels(['simulator'], false)('auto')).toThrow(
      expect.objectContaining({ code: 'WHATSAPP_OFFLINE' }),
    );
  });

  test('is not WhatsApp while the project has no linked number; others go on', () => {
    const select = withChannels(['whatsapp', 'sms'], false);
    for (const name of ['auto', 'whatsapp'] as const) {
      expect(() => select(name, 'prj_another')).toThrow(
        expect.objectContaining({ code: 'WHATSAPP_OFFLINE' }),
      );
    }
    expect(select('sms', 'prj_another')).toBe('sms');
  });

  test('is refused at once where WhatsApp is asked for by name and has just said that nobody uses the number', () => {
    const select = withChannels(['whatsapp', 'sms'], false);
    expect(() => select('whatsapp', LINKED, ABSENT)).toThrow(
      expect.objectContaining({ code: 'PHONE_NOT_ON_WHATSAPP', status: 422 }),
    );
    expect(select('auto', LINKED, ABSENT)).toBe('whatsapp');
    expect(withChannels(['simulator'], true)('whatsapp', LINKED, ABSENT)).toBe('simulator');
  });

  test('that is not set up is refused', () => {
    for (const name of ['cloud_api', 'email', 'sms', 'http'] as const) {
      for (const mockMode of [true, false]) {
        expect(() => withChannels(['simulator', 'whatsapp'], mockMode)(name)).toThrow(
          expect.objectContaining({ code: 'CHANNEL_UNAVAILABLE', status: 503 }),
        );
      }
    }
    expect(() => withChannels([], false)('whatsapp')).toThrow(
      expect.objectContaining({ code: 'WHATSAPP_OFFLINE', status: 503 }),
    );
  });
});
