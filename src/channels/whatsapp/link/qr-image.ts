import { toBuffer, toString as toText } from 'qrcode';

/** Pictures of a QR code. WhatsApp's camera reads them best with some white around. */
const LOOK = { margin: 4, errorCorrectionLevel: 'L' } as const;

/** As PNG, large enough for a phone held at arm's length. */
export function qrPng(text: string): Promise<Buffer> {
  return toBuffer(text, { ...LOOK, type: 'png', width: 512 });
}

/** As SVG. */
export function qrSvg(text: string): Promise<string> {
  return toText(text, { ...LOOK, type: 'svg' });
}

/** As text for a terminal, two rows of squares in a line. */
export function qrForTerminal(text: string): Promise<string> {
  // The library takes even margins only.
  return toText(text, { ...LOOK, type: 'utf8', margin: 2 });
}
