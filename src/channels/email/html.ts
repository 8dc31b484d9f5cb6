import { escapeHtml } from '../../lib/html.ts';

/** What a mail says, in plain text. */
export interface MailBody {
  subject: string;
  text: string;
  /** Shown large where it stands in the text; absent where the text has none. */
  code: string | undefined;
  /** BCP 47; absent where nobody has said. */
  locale: string | undefined;
  /** Shown above the text. */
  brand: string | undefined;
}

const FONT = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
/** Scripts that are written from right to left, by their ISO 15924 codes. */
const RIGHT_TO_LEFT = new Set(['Adlm', 'Arab', 'Hebr', 'Mand', 'Nkoo', 'Rohg', 'Samr', 'Syrc', 'Thaa']);
/** What ends a clause; left out where the code before it has a line of its own. */
const CLAUSE_END = /^\s*[.,;:!。、，；：！｡،؛۔।]\s*/u;

/**
 * The HTML part: no picture, nothing that is fetched, nothing but inline styles and tables where Outlook needs them. The
 * code has a line of its own, is live text in one element and stands there once, so that readers that offer it find it.
 */
export function htmlBody({ subject, text, code, locale, brand }: MailBody): string {
  const direction = locale === undefined ? 'auto' : isRightToLeft(locale) ? 'rtl' : 'ltr';
  const language = locale === undefined ? '' : ` lang="${escapeHtml(locale)}"`;
  const heading = brand === undefined ? '' : `\n${paragraph('brand', BRAND, direction, escapeHtml(brand))}`;
  return `<!doctype html>
<html${language} dir="${direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no,date=no,address=no,email=no">
<title>${escapeHtml(subject)}</title>
<style>
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
.page { background-color: #111214 !important; }
.card { background-color: #1e2024 !important; border-color: #33363c !important; }
.text { color: #e4e6ea !important; }
.brand { color: #a9aeb8 !important; }
.code { color: #ffffff !important; background-color: #2b2e34 !important; }
}
</style>
</head>
<body class="page" style="margin:0;padding:0;background-color:#f3f4f6;">
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0"
 style="background-color:#f3f4f6;">
<tr><td align="center" style="padding:24px 12px;">
<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" border="0"
 style="max-width:480px;background-color:#ffffff;border:1px solid #e2e4e9;border-radius:12px;">
<tr><td style="padding:28px 24px 12px;">${heading}
${blocks(text, code, direction)}
</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
`;
}

const TEXT = `margin:0 0 16px;overflow-wrap:anywhere;word-break:break-word;font:400 16px/1.5 ${FONT};color:#1d2025;`;
const BRAND = `margin:0 0 16px;font:600 14px/1.4 ${FONT};color:#5a606b;`;
const CODE = `margin:0 0 16px;padding:14px 12px;border-radius:8px;background-color:#f0f1f4;color:#0b0c0e;font:700 32px/1.2 ui-monospace,SFMono-Regular,Menlo,Consolas,'Courier New',monospace;text-align:center;-webkit-user-select:all;user-select:all;`;

function blocks(text: string, code: string | undefined, direction: string): string {
  const at = code === undefined ? -1 : text.indexOf(code);
  if (code === undefined || at === -1) return paragraphs(text, direction);
  const after = text.slice(at + code.length).replace(CLAUSE_END, '');
  return [
    paragraphs(text.slice(0, at), direction),
    // Its characters stay in their order also among text from right to left.
    paragraph('code', CODE, 'ltr', escapeHtml(code)),
    paragraphs(after, direction),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function paragraphs(text: string, direction: string): string {
  return text
    .trim()
    .split(/\n\s*\n/)
    .filter((part) => part !== '')
    .map((part) => paragraph('text', TEXT, direction, escapeHtml(part).replaceAll('\n', '<br>\n')))
    .join('\n');
}

function paragraph(name: string, style: string, direction: string, content: string): string {
  // On a line of its own, so that no soft line break of quoted-printable comes into the code.
  return `<p class="${name}" dir="${direction}" style="${style}"\n>${content}</p>`;
}

function isRightToLeft(locale: string): boolean {
  return RIGHT_TO_LEFT.has(new Intl.Locale(locale).maximize().script ?? '');
}
