import { describe, expect, test } from 'vitest';
import { languageFor } from './languages.ts';

const choose = (approved: string, recipient: { locale?: string; country?: string }) =>
  languageFor(approved.split(',') as [string, ...string[]], recipient);

describe('the language of a message', () => {
  test.each([
    ['the very one', 'en,en_GB,en_US', { locale: 'en-GB' }, 'en_GB'],
    ['however it is written', 'en_US,pt_BR', { locale: 'PT_br' }, 'pt_BR'],
    ['without its region', 'en_US,id', { locale: 'id-ID' }, 'id'],
    ['of another region', 'en_US,pt_BR', { locale: 'pt-PT' }, 'pt_BR'],
    ['of the likeliest region', 'es_ES,pt_PT,pt_BR', { locale: 'pt' }, 'pt_BR'],
    ['of the same script', 'en,zh_CN,zh_TW', { locale: 'zh-Hant-HK' }, 'zh_TW'],
    ['by its newer name', 'en,he', { locale: 'iw' }, 'he'],
    ['of Norway', 'en,nb', { locale: 'no-NO' }, 'nb'],
  ])('is that of the locale: %s', (_what, approved, recipient, chosen) => {
    expect(choose(approved, { ...recipient, country: 'DE' })).toBe(chosen);
  });

  test.each([
    ['ID', 'id'],
    ['BR', 'pt_BR'],
    ['TW', 'zh_TW'],
    ['NO', 'nb'],
    ['AT', 'de'],
    ['PH', 'fil'],
  ])('is that of the country %s where the locale has none', (country, chosen) => {
    const approved = 'en,id,pt_BR,zh_CN,zh_TW,nb,de,fil';
    expect(choose(approved, { country })).toBe(chosen);
    expect(choose(approved, { locale: 'sw', country })).toBe(chosen);
    expect(choose(approved, { locale: 'not a locale', country })).toBe(chosen);
  });

  test('is the first one where nothing else fits', () => {
    expect(choose('en_US,id', {})).toBe('en_US');
    expect(choose('en_US,id', { locale: 'sw', country: 'KE' })).toBe('en_US');
    expect(choose('en_US,id', { country: 'XX' })).toBe('en_US');
  });
});
