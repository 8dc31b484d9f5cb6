import { expect, test } from 'vitest';
import { qrForTerminal, qrPng, qrSvg } from './qr-image.ts';

// As long as what WhatsApp's QR codes hold.
const TEXT = `https://wa.me/settings/linked_devices#2@${'Ab1/'.repeat(8)},${'x+'.repeat(22)},${'y/'.repeat(22)},${'z='.repeat(22)},1`;

test('a QR code is a PNG, an SVG, and squares for a terminal', async () => {
  expect((await qrPng(TEXT)).subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  expect(await qrSvg(TEXT)).toMatch(/^<svg [^>]*viewBox="0 0 (\d+) \1"/);
  const lines = (await qrForTerminal(TEXT)).trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(20);
  expect(lines.every((line) => /^[ █▀▄]*$/.test(line))).toBe(true);
});
